"""One request over mutual TLS with tlslite-ng, which is Python alone: tlslite_client.py HOST PORT CA [CERT KEY], the request on standard input."""
import socket
import sys

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.errors import TLSRemoteAlert

host, port, ca, *own = sys.argv[1:]
request = sys.stdin.buffer.read()
connection = TLSConnection(socket.create_connection((host, int(port)), timeout=20))
settings = HandshakeSettings()
settings.minVersion = (3, 4)
# It compresses its certificate (RFC 8879) for servers that never said they take that.
settings.certificate_compression_send = []
chain = key = None
if own:
    chain = X509CertChain()
    chain.parsePemList(open(own[0]).read())
    key = parsePEMKey(open(own[1]).read(), private=True)
try:
    connection.handshakeClientCert(chain, key, settings=settings, serverName=host)
    if request:
        connection.write(request)
    # The alert about a client certificate comes after the client's own end of the handshake.
    while True:
        data = connection.read()
        if not data:
            break
        sys.stdout.buffer.write(data)
except TLSRemoteAlert as alert:
    sys.exit(f"alert [{alert.description}]")
