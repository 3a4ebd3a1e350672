"""The real peers: everything here runs other people's code over real sockets."""
