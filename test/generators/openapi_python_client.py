"""Calls the service once each way with the client that openapi-python-client made: list, create, decode a problem."""

import os
import sys

sys.path.insert(0, sys.argv[1])

from octomil_settings_api_client import AuthenticatedClient
from octomil_settings_api_client.api.api_keys import settings_api_keys_create as create
from octomil_settings_api_client.api.api_keys import settings_api_keys_list as list_keys
from octomil_settings_api_client.models import ApiKeysCreateRequest, Problem, Scope

client = AuthenticatedClient(base_url=os.environ["SERVICE_URL"], token=os.environ["SERVICE_KEY"])
key = create.sync(client=client, body=ApiKeysCreateRequest(name="made by a generated client", scopes=[Scope.KEYSREAD]))
assert key.api_key.startswith("oct_org_live_"), key
assert key.id in [entry.id for entry in list_keys.sync(client=client).data]
stranger = AuthenticatedClient(base_url=os.environ["SERVICE_URL"], token="oct_org_live_unknown")
problem = list_keys.sync(client=stranger)
assert isinstance(problem, Problem) and problem.status == 401, problem
