/* One request over mutual TLS with wolfSSL: client HOST PORT CA [CERT KEY], the request on standard input. */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int dial(const char *host, const char *port) {
    struct addrinfo hints, *found, *at;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, port, &hints, &found) != 0) return -1;
    for (at = found; at; at = at->ai_next) {
        int s = socket(at->ai_family, at->ai_socktype, 0);
        if (s >= 0 && connect(s, at->ai_addr, at->ai_addrlen) == 0) return s;
        if (s >= 0) close(s);
    }
    return -1;
}

static void fail(WOLFSSL *ssl, int result) {
    WOLFSSL_ALERT_HISTORY history;
    char text[80];
    int error = wolfSSL_get_error(ssl, result);
    memset(&history, 0, sizeof history);
    wolfSSL_get_alert_history(ssl, &history);
    fprintf(stderr, "error %d (%s), alert [%d]\n", error, wolfSSL_ERR_error_string(error, text), history.last_rx.code);
    exit(1);
}

int main(int argc, char **argv) {
    char request[4096], answer[4096];
    int length = (int)fread(request, 1, sizeof request, stdin), got;
    wolfSSL_Init();
    WOLFSSL_CTX *context = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    if (argc < 4 || wolfSSL_CTX_load_verify_locations(context, argv[3], NULL) != WOLFSSL_SUCCESS) return 2;
    if (argc > 5 && (wolfSSL_CTX_use_certificate_chain_file(context, argv[4]) != WOLFSSL_SUCCESS ||
                     wolfSSL_CTX_use_PrivateKey_file(context, argv[5], WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS)) return 3;
    WOLFSSL *ssl = wolfSSL_new(context);
    int socket = dial(argv[1], argv[2]);
    if (socket < 0) return 4;
    wolfSSL_check_domain_name(ssl, argv[1]);
    wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, argv[1], (unsigned short)strlen(argv[1]));
    wolfSSL_set_fd(ssl, socket);
    got = wolfSSL_connect(ssl);
    if (got != WOLFSSL_SUCCESS) fail(ssl, got);
    if (length > 0) wolfSSL_write(ssl, request, length);
    /* The alert about a client certificate comes after the client's own end of the handshake. */
    while ((got = wolfSSL_read(ssl, answer, sizeof answer)) > 0) fwrite(answer, 1, (size_t)got, stdout);
    if (wolfSSL_get_error(ssl, got) != WOLFSSL_ERROR_ZERO_RETURN) fail(ssl, got);
    return 0;
}
