"""How octets come and go: networks dialled, clients let in, both read and written."""
