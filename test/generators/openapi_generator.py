"""Calls the service once each way with the client that openapi-generator made for Python: list, create, decode a problem."""

import json
import os
import sys

sys.path.insert(0, sys.argv[1])

import openapi_client
from openapi_client.models import ApiKeysCreateRequest, Problem, Scope


def api(token):
    configuration = openapi_client.Configuration(host=os.environ["SERVICE_URL"], access_token=token)
    return openapi_client.APIKeysApi(openapi_client.ApiClient(configuration))


keys = api(os.environ["SERVICE_KEY"])
key = keys.settings_api_keys_create(
    ApiKeysCreateRequest(name="made by a generated client", scopes=[Scope.KEYS_COLON_READ])
)
assert key.api_key.startswith("oct_org_live_"), key
assert key.id in [entry.id for entry in keys.settings_api_keys_list().data]
try:
    api("oct_org_live_unknown").settings_api_keys_list()
    raise AssertionError("an unknown key was let in")
except openapi_client.exceptions.UnauthorizedException as error:
    assert Problem.from_dict(json.loads(error.body)).status == 401
