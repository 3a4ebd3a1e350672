"use strict";

function show(text) {
  document.title = document.getElementById("news").textContent = text;
}

// Without a host, the client talks to the server that the page came from.
const socket = new TokenSocket({ host: document.body.dataset.host, authentication: { user: "ada" } });

socket.ready((error) => {
  if (error) return show(`not connected: ${error.message || error}`);
  socket.subscribe("news", (refused) => {
    if (refused) return show(`not subscribed: ${refused}`);
    socket.rpc("whoami", {}, (failed, answer) => {
      if (failed) return show(`not answered: ${failed}`);
      socket.publish("news", `hello, ${answer.user}`);
    });
  });
});

socket.onmessage((channel, message) => show(`${channel}: ${message}`));
