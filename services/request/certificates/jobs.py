"""Job of the control loop: issue certificates, and suspend those that no longer hold."""

from services.request.certificates.issuer import CertificateIssuer


def issue(issuer: CertificateIssuer) -> float | None:
    """Issue and suspend what is due, a batch at most."""
    return 0.0 if issuer.run_once() else None
