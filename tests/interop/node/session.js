/*
 * As much of a token-sockjs client as the tests need, over sockjs-client in Node: it lets
 * them choose the transport, which token-sockjs-client 2.2.0 does not.  What it sends is
 * what token-sockjs-client 3.1.3 sends, as recorded in tests/wire.
 */
"use strict";

const crypto = require("crypto");
const http = require("http");
const SockJS = require("sockjs-client");

const RETRY_MS = 50;

/* {"a":{"b":[1]}} -> a%5Bb%5D%5B0%5D=1 */
function formEncode(value, name = "") {
  if (typeof value !== "object")
    return encodeURIComponent(name) + "=" + encodeURIComponent(value);
  return Object.keys(value)
    .map((key) => formEncode(value[key], name ? `${name}[${key}]` : key))
    .join("&");
}

function getJSON(url, callback) {
  http.get(url, { agent: false }, (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (part) => { body += part; });
    response.on("end", () => {
      const { error, ...rest } = JSON.parse(body);
      callback(error ? new Error(error) : null, rest);
    });
  }).on("error", callback);
}

class Session {
  constructor({ host, port, authentication }, actions, transport) {
    this.base = `http://${host}:${port}`;
    this.query = formEncode(authentication);
    Object.assign(this, { actions, transport, channels: new Set(), waiting: new Map() });
    this.listeners = { ready: [], reconnect: [], message: [] };
    this.connect("ready");
  }

  emit(event, ...values) { this.listeners[event].forEach((listener) => listener(...values)); }
  ready(listener) { this.listeners.ready.push(listener); }
  onreconnect(listener) { this.listeners.reconnect.push(listener); }
  onmessage(listener) { this.listeners.message.push(listener); }

  rpc(name, data, callback) { this.request(name, data, callback); }
  subscribe(channel, callback) {
    this.channels.add(channel);
    this.request("_subscribe", { channel }, callback);
  }
  unsubscribe(channel, callback) {
    this.channels.delete(channel);
    this.request("_unsubscribe", { channel }, callback);
  }
  publish(channel, data, callback) { this.request("_publish", { channel, data }, callback); }
  broadcast(data, callback) { this.request("_broadcast", { data }, callback); }
  end(callback) {
    this.ended = callback;
    this.sockjs.close();
  }

  send(message) { this.sockjs.send(JSON.stringify(message)); }
  request(rpc, req, callback, more) {
    const uuid = crypto.randomUUID();
    this.waiting.set(uuid, callback);
    this.send({ rpc, req, uuid, ...more });
  }

  connect(event) {
    getJSON(`${this.base}/socket/token?${this.query}`, (error, answer) => {
      if (error) return this.failed(event, error);
      this.sockjs = new SockJS(`${this.base}/sockets`, null, { transports: [this.transport] });
      this.sockjs.onopen = () =>
        this.request("auth", undefined, (error) => this.authenticated(event, error), answer);
      this.sockjs.onmessage = ({ data }) => this.received(JSON.parse(data));
      this.sockjs.onclose = () => {
        if (this.ended) this.ended(null);
        else this.failed("reconnect", new Error("closed"));
      };
    });
  }

  authenticated(event, error) {
    if (error) return;
    this.channels.forEach((channel) => this.subscribe(channel, () => {}));
    this.emit(event);
  }

  failed(event, error) {
    this.emit(event, error);
    setTimeout(() => this.connect(event), RETRY_MS);
  }

  received(message) {
    if (message.internal && message.command === "rpc") return this.called(message.data);
    if (message.channel) return this.emit("message", message.channel, message.message);
    const callback = this.waiting.get(message.uuid);
    this.waiting.delete(message.uuid);
    if (callback) callback(message.error || null, message.resp);
  }

  called({ fid, command, args }) {
    const action = command.split(".").reduce((found, name) => found[name], this.actions);
    action(args, (error, data) =>
      this.send({ rpc: "_rpc", fid, resp: error ? { error: error.message } : { data } }));
  }
}

exports.over = (transport) =>
  class extends Session {
    constructor(options, actions) { super(options, actions, transport); }
  };
