/*
 * token-sockjs-client 2.2.0 takes its HTTP client from a Git repository, which a test
 * should not depend on.  This is the one function of it that the client calls.
 */
"use strict";

const http = require("http");

module.exports = function RestJS() {
  this.request = ({ host, port, path, method }, data, callback) => {
    const request = http.request({ host, port, path, method }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part) => { body += part; });
      response.on("end", () => callback(null, { body }));
    });
    request.on("error", callback);
    request.end();
  };
};
