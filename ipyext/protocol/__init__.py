"""Sans-I/O: what the messages mean. No sockets, no threads, no clock, no IPython."""
