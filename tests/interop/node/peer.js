/*
 * A JavaScript peer, moved by the tests: `node peer.js CLIENT URL [TRANSPORT]`.
 *
 * CLIENT is token-sockjs-client (npm 2.2.0, websocket only) or sockjs-client (npm 1.6.1
 * over that TRANSPORT, with the protocol spoken in session.js).  Both look alike here.
 *
 * Each line on stdin is a call, {"id":1,"name":"rpc","args":["echo",{}]}, each line on
 * stdout says what happened:
 *   {"event":"ready"}  {"event":"reconnect"}  both with "error" if it failed
 *   {"event":"message","channel":C,"message":M}
 *   {"event":"answer","id":1,"error":E,"resp":R}   the call's callback was called
 * It ends when stdin does, so that it cannot outlive the tests.
 */
"use strict";

const readline = require("readline");
const [client, url, transport] = process.argv.slice(2);
const { hostname, port } = new URL(url);

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

const TokenSocket =
  client === "sockjs-client" ? require("./session").over(transport) : require("token-sockjs-client");

/* An IPv4 address with its port apart: the originals misread most other forms. */
const obey = require("./driver")(TokenSocket, { host: hostname, port: Number(port) }, say);

readline.createInterface({ input: process.stdin })
  .on("line", (line) => obey(JSON.parse(line)))
  .on("close", () => process.exit(0));
