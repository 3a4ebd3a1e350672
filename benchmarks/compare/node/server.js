/*
 * node-token-sockjs with the actions of the comparison: echo; burst, which publishes that many
 * messages; ask, which calls its caller so often.  Environment: REDIS_PORT, MODULES (where npm installed).
 */
"use strict";

const http = require("http");
const load = (name) => require(`${process.env.MODULES}/${name}`);
const redis = load("redis");
const sockjs = load("sockjs");
const TokenSocketServer = load("node-token-sockjs");

const app = load("express")();
const sockets = sockjs.createServer({ log: () => {} });
const connect = () => redis.createClient(Number(process.env.REDIS_PORT), "127.0.0.1");
const pubsubClient = connect();

const server = new TokenSocketServer(app, connect(), sockets, {
  authentication: (request, callback) => callback(null, {}),
  pubsubClient,
  ping: true,
  socketController: {
    echo: (auth, data, callback) => callback(null, data),
    burst: (auth, { channel, data, count }, callback) => {
      for (let sent = 0; sent < count; sent++) server.publish(channel, data);
      callback(null, count);
    },
    ask: (auth, { data, count }, callback, caller) => {
      let missing = count, right = 0;
      for (let sent = 0; sent < count; sent++)
        server.rpc(caller, "echo", data, (error, answer) => {
          right += !error && answer === data;
          if (!--missing) callback(null, right);
        });
    },
  },
});

const listener = http.createServer(app);
sockets.installHandlers(listener, { prefix: "/sockets" });
pubsubClient.on("subscribe", (channel) => {
  if (channel !== "___sync___") return;
  listener.listen(0, "127.0.0.1", () =>
    process.stdout.write(JSON.stringify({ port: listener.address().port }) + "\n"));
});
process.stdin.on("end", () => process.exit(0)).resume();
