// One request over mutual TLS with a Java provider: Client PROVIDER HOST PORT CA [P12], the request on standard input.
// PROVIDER is `SunJSSE`, or `BCJSSE` with Bouncy Castle's jars on the class path. The store's password is `changeit`.
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.Socket;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509KeyManager;

public final class Client {
    public static void main(String[] args) throws Exception {
        byte[] request = System.in.readAllBytes();
        try {
            System.out.write(ask(args, request));
            System.out.flush();
        } catch (Exception error) {
            System.err.println(error);
            System.exit(1);
        }
    }

    private static byte[] ask(String[] args, byte[] request) throws Exception {
        boolean bouncy = args[0].equals("BCJSSE");
        if (bouncy) {
            Security.insertProviderAt((Provider) Class.forName("org.bouncycastle.jce.provider.BouncyCastleProvider").getDeclaredConstructor().newInstance(), 1);
            Security.insertProviderAt((Provider) Class.forName("org.bouncycastle.jsse.provider.BouncyCastleJsseProvider").getDeclaredConstructor().newInstance(), 2);
        }
        KeyStore roots = KeyStore.getInstance("PKCS12");
        roots.load(null, null);
        try (InputStream file = new FileInputStream(args[3])) {
            roots.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = bouncy ? TrustManagerFactory.getInstance("PKIX", "BCJSSE") : TrustManagerFactory.getInstance("PKIX", "SunJSSE");
        trust.init(roots);
        KeyManager[] keys = args.length > 4 ? new KeyManager[] {new Always(args[4])} : null;
        SSLContext context = SSLContext.getInstance("TLSv1.3", args[0]);
        context.init(keys, trust.getTrustManagers(), null);
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(args[1], Integer.parseInt(args[2]))) {
            socket.setSoTimeout(20000);
            socket.startHandshake();
            if (request.length > 0) {
                socket.getOutputStream().write(request);
                socket.getOutputStream().flush();
            }
            // The alert about a client certificate comes after the client's own end of the handshake.
            return socket.getInputStream().readAllBytes();
        }
    }

    /** Shows its one certificate whatever authorities the server names. */
    private static final class Always implements X509KeyManager {
        private final PrivateKey key;
        private final X509Certificate[] chain;

        Always(String file) throws Exception {
            KeyStore store = KeyStore.getInstance("PKCS12");
            try (InputStream in = new FileInputStream(file)) {
                store.load(in, "changeit".toCharArray());
            }
            String alias = store.aliases().nextElement();
            key = (PrivateKey) store.getKey(alias, "changeit".toCharArray());
            var found = store.getCertificateChain(alias);
            chain = java.util.Arrays.copyOf(found, found.length, X509Certificate[].class);
        }

        public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) { return "only"; }
        public String[] getClientAliases(String type, Principal[] issuers) { return new String[] {"only"}; }
        public X509Certificate[] getCertificateChain(String alias) { return chain; }
        public PrivateKey getPrivateKey(String alias) { return key; }
        public String chooseServerAlias(String type, Principal[] issuers, Socket socket) { return null; }
        public String[] getServerAliases(String type, Principal[] issuers) { return null; }
    }
}
