"""Response model: a certificate of suppression as a signed envelope."""

from pydantic import Field

from services.request.api.responses import ResponseModel


class SignatureResponse(ResponseModel):
    """One signature of an envelope."""

    keyid: str | None = None
    sig: str = Field(description="Ed25519, in base64.")


class CertificateResponse(ResponseModel):
    """A DSSE envelope; its payload is an in-toto statement."""

    payloadType: str = Field(examples=["application/vnd.in-toto+json"])
    payload: str = Field(description="The statement, in base64.")
    signatures: list[SignatureResponse]
