"""The one call of IAM that moto lacks and clients make before they train: may this role do that?

Nothing checks permissions in the local SageMaker, so every role may do everything.
"""

from __future__ import annotations

import io
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from werkzeug import Request, Response

from featuremill.sagemaker_local.context import new_id

_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
_ACTIONS = ("SimulatePrincipalPolicy", "SimulateCustomPolicy")


def answer(request: Request) -> Response | None:
    """The answer to a simulation of policies; None for every other call, whose body is left to be read again."""
    body = request.get_data()
    request.environ["wsgi.input"] = io.BytesIO(body)
    request.environ["CONTENT_LENGTH"] = str(len(body))
    arguments = parse_qsl(body.decode("utf-8", "replace"))
    action = dict(arguments).get("Action")
    if action not in _ACTIONS:
        return None
    asked = [value for name, value in arguments if name.startswith("ActionNames.member.")]
    results = "".join(
        f"<member><EvalActionName>{escape(name)}</EvalActionName><EvalResourceName>*</EvalResourceName>"
        "<EvalDecision>allowed</EvalDecision></member>"
        for name in asked
    )
    text = (
        f'<{action}Response xmlns="{_NAMESPACE}"><{action}Result><EvaluationResults>{results}</EvaluationResults>'
        f"<IsTruncated>false</IsTruncated></{action}Result>"
        f"<ResponseMetadata><RequestId>{new_id()}</RequestId></ResponseMetadata></{action}Response>"
    )
    return Response(text, content_type="text/xml")
