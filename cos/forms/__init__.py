"""POST Object: uploading through an HTML form, with a signed policy instead of a signed request."""

from cos.forms.answer import render_form_answer
from cos.forms.claim import FormClaim, read_form_claim, verify_form
from cos.forms.form import MAX_HEAD_BYTES, Form, FormFile, FormHeadReader
from cos.forms.upload import FormUpload, read_form_upload

__all__ = [
    "MAX_HEAD_BYTES", "Form", "FormFile", "FormHeadReader",
    "FormClaim", "FormUpload", "read_form_claim", "read_form_upload", "verify_form", "render_form_answer",
]  # fmt: skip
