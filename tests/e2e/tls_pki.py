"""Client certificates of the demo's own authority, good and each spoilt in one way, and its revocation list written anew."""
import datetime
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
AGENCY = "bank"
NAME = f"spiffe://estelam.test/agency/{AGENCY}"


class Made:
    """A certificate with its chain and key, in the forms that the clients take."""

    def __init__(self, folder, label, leaf, chain, key):
        folder = folder / label
        folder.mkdir(parents=True)
        self.label, self.leaf = label, leaf
        self.cert, self.key, self.p12 = folder / "cert.pem", folder / "key.pem", folder / "own.p12"
        self.cert.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in [leaf, *chain]))
        self.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.p12.write_bytes(pkcs12.serialize_key_and_certificates(
            label.encode(), key, leaf, chain, serialization.BestAvailableEncryption(b"changeit")))


class Authority:
    """The intermediate authority of a demo."""

    def __init__(self, demo, folder):
        pki = demo.dir / "pki"
        self.folder, self.list = pathlib.Path(folder), pki / "crl" / "intermediate.crl.pem"
        self.key = serialization.load_pem_private_key((pki / "authority" / "intermediate.key.pem").read_bytes(), None)
        self.certificate = x509.load_pem_x509_certificate((pki / "intermediate.pem").read_bytes())

    def issue(self, label, names=(NAME,), usage=ExtendedKeyUsageOID.CLIENT_AUTH, ca=False, days=(-1, 30), own=False, key=None):
        """A certificate that would be accepted but for what is given; `own` signs it by its own key."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, label)])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(subject if own else self.certificate.subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY).not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(True, *[False] * 4, ca, False, False, False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name) for name in names]), critical=False)
        )
        leaf = builder.sign(key if own else self.key, hashes.SHA256())
        return Made(self.folder, label, leaf, [] if own else [self.certificate], key)

    def revoke(self, made):
        """A list with the next number that has this certificate too."""
        old = x509.load_pem_x509_crl(self.list.read_bytes())
        number = old.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number + 1
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateRevocationListBuilder().issuer_name(old.issuer).last_update(now).next_update(now + 7 * DAY)
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        for entry in old:
            builder = builder.add_revoked_certificate(entry)
        entry = x509.RevokedCertificateBuilder().serial_number(made.leaf.serial_number).revocation_date(now)
        builder = builder.add_revoked_certificate(entry.build())
        draft = self.list.with_suffix(".draft")
        draft.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        draft.replace(self.list)
