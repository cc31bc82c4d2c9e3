"""LLRPStatus: how a reader says what it made of a request (LLRP 1.0.1, section 14)."""

from simulators.llrp.names import ParameterType as P
from simulators.llrp.names import StatusCode
from simulators.llrp.packer import BadMessageError, Element, element

SUCCESS = element(P.LLRPStatus, StatusCode=StatusCode.M_Success, ErrorDescription="")
# Codes below this concern the message as a whole (section 14.2.1).
_FIRST_PARAMETER_CODE = 200


def refusal(error: BadMessageError) -> Element:
    """The LLRPStatus of an error: nested ParameterErrors lead to the place, a FieldError names the field."""
    code = error.code
    field = () if error.field_num is None else (element(P.FieldError, FieldNum=error.field_num, ErrorCode=code),)
    if not error.path:
        top = StatusCode.M_FieldError if field else _message_code(code)
        return element(P.LLRPStatus, *field, StatusCode=top, ErrorDescription=error.text)
    nested: tuple[Element, ...] = field
    inner = StatusCode.P_FieldError if field else code
    for kind in reversed(error.path):
        nested = (element(P.ParameterError, *nested, ParameterType=kind, ErrorCode=inner),)
        inner = StatusCode.P_ParameterError
    return element(P.LLRPStatus, *nested, StatusCode=StatusCode.M_ParameterError, ErrorDescription=error.text)


def _message_code(code: StatusCode) -> StatusCode:
    return StatusCode.M_ParameterError if code >= _FIRST_PARAMETER_CODE else code
