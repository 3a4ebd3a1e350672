/*
 * A small application on the real node-token-sockjs, for the tests to talk to.
 *
 * Environment: REDIS_PORT (required), PORT (0: the system chooses), HEARTBEAT
 * (milliseconds between WebSocket pings, which want an answer), PING=1 (answer
 * _ping), WEBSOCKET=0 (offer none).  Every line on stdout is one JSON object: first {"port":N}, then what
 * happens, as {"event":NAME,...}, so that a test waits for an event instead of a
 * time.  It ends when stdin does, so that it cannot outlive the tests.
 */
"use strict";

const http = require("http");
const express = require("express");
const redis = require("redis");
const sockjs = require("sockjs");
const TokenSocketServer = require("node-token-sockjs");

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

/* What arrives, without its data: {"event":"frame","rpc":"_subscribe","channel":"a"}. */
function sayFrame(text) {
  const frame = { event: "frame" };
  try {
    const message = JSON.parse(text);
    frame.rpc = message.rpc;
    frame.channel = message.req && message.req.channel;
  } catch (error) {
    frame.invalid = text.slice(0, 200);
  }
  say(frame);
}

const actions = {
  echo: (auth, data, callback) => callback(null, data),
  whoami: (auth, data, callback) => callback(null, auth),
  something: { nested: (auth, data, callback) => callback(null, { nested: data }) },

  long: (auth, data, callback) => callback(null, "x".repeat(data.times)),

  /* The error is a text, or an Error with {"message": ..., "fields": {...}}. */
  fail: (auth, data, callback) => {
    const reason = data && data.message;
    callback(reason ? Object.assign(new Error(reason), data.fields) : "nope");
  },
  failobj: (auth, data, callback) => callback({ message: "bad", code: 42 }),

  /* Answers after {"ms": N}, or never. */
  slow: (auth, data, callback) => {
    if (data && data.ms !== undefined) setTimeout(callback, data.ms, null, data);
  },

  /* Calls the caller's action {"command": ..., "args": ...}, and passes on its answer. */
  callme: (auth, data, callback, socket) =>
    server.rpc(socket, data.command, data.args, callback),

  /* Unsubscribes all sockets, of all servers, from a channel. */
  clear: (auth, data, callback) => {
    server.unsubscribeAll(data);
    callback(null, data);
  },

  /* Ends the caller's session in order, as a server that shuts down does. */
  leave: (auth, data, callback, socket) => socket.end(),
};

function authentication(request, callback) {
  const query = request.query;
  say({ event: "token", header: request.headers["x-test"] });
  if (query.deny) callback(null, false);
  else if (query.fail) callback(new Error("the database is away"));
  else callback(null, { user: query.user || "nobody", q: query });
}

const app = express();
const sockets = sockjs.createServer({
  log: () => {},
  heartbeat_delay: Number(process.env.HEARTBEAT || 25000),
  websocket: process.env.WEBSOCKET !== "0",
});
const redisPort = Number(process.env.REDIS_PORT);
const pubsubClient = redis.createClient(redisPort, "127.0.0.1");

sockets.on("connection", (socket) => {
  say({ event: "open" });
  socket.on("data", sayFrame);
  socket.on("close", () => say({ event: "close" }));
});

const server = new TokenSocketServer(app, redis.createClient(redisPort, "127.0.0.1"), sockets, {
  authentication,
  pubsubClient,
  socketController: actions,
  ping: process.env.PING === "1",
});

/* ?callfirst=NAME: call the client's action NAME and wait for it before the auth reply. */
server.on("authentication", (socket, auth, callback) => {
  const action = auth.q && auth.q.callfirst; // no q: a token of another server's
  if (!action) return callback(null, true);
  server.rpc(socket, action, { asked: "first" }, (error, answer) => {
    auth.first = { error, answer };
    callback(null, true);
  });
});

for (const event of ["subscribe", "publish"])
  server.on(event, (socket, request, callback) => callback(null, request.channel !== "forbidden"));

server.on("broadcast", (socket, request, callback) => callback(null, !request.data.refuse));

const listener = http.createServer(app);
sockets.installHandlers(listener, { prefix: "/sockets" });
listener.on("upgrade", (request) =>
  say({ event: "upgrade", header: request.headers["x-test"] }));

/* Ready when the second of the server's own two channels is subscribed: nothing is lost then. */
pubsubClient.on("subscribe", (channel) => {
  if (channel !== "___sync___") return;
  listener.listen(Number(process.env.PORT || 0), "127.0.0.1", () =>
    say({ port: listener.address().port }));
});

process.stdin.on("end", () => process.exit(0)).resume();
