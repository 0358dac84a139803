// One request over mutual TLS with Go's crypto/tls: client.go HOST PORT CA [CERT KEY], the request on standard input.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"time"
)

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	request, _ := io.ReadAll(os.Stdin)
	ca, err := os.ReadFile(os.Args[3])
	if err != nil {
		fail(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{RootCAs: roots, ServerName: os.Args[1], MinVersion: tls.VersionTLS13}
	if len(os.Args) > 4 {
		pair, err := tls.LoadX509KeyPair(os.Args[4], os.Args[5])
		if err != nil {
			fail(err)
		}
		// Also a certificate from an authority that the server does not name is shown, as a misconfigured client would.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	connection, err := tls.Dial("tcp", os.Args[1]+":"+os.Args[2], config)
	if err != nil {
		fail(err)
	}
	connection.SetDeadline(time.Now().Add(20 * time.Second))
	connection.Write(request)
	// A client certificate is judged after the client's own end of the handshake: the alert is the first thing to be read.
	answer, err := io.ReadAll(connection)
	if err != nil {
		fail(err)
	}
	os.Stdout.Write(answer)
}
