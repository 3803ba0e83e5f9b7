"""The platform's own package against the local service: its typed client, its closed records, its older client, its command.

Prints a line for each check and ends with 1 when one fails.
"""

import os
import re
import subprocess
import sys
import tempfile

import httpx
from octomil._generated import types
from octomil._generated.client import OctomilApiClient
from octomil.enterprise import EnterpriseClient

URL, ORG, KEY, OWNER = (os.environ[name] for name in ("SERVICE_URL", "ORG_ID", "SERVICE_KEY", "OWNER_TOKEN"))
FREE_KEY = os.environ["FREE_KEY"]
failures = []
count = 0


def check(name, action):
    global count
    count += 1
    try:
        result = action()
        print(f"ok      {name}")
        return result
    except Exception as error:  # noqa: BLE001 - every failure is a line of the report
        failures.append(name)
        print(f"FAILED  {name}: {error}")
        return None


def equal(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


def headers(token):
    return {"Authorization": f"Bearer {token}"}


http = httpx.Client(base_url=URL, headers=headers(KEY))


def call(method, path, json=None, token=None, status=None):
    response = http.request(method, f"/api/v1{path}", json=json, headers=headers(token) if token else None)
    if status is None:
        assert response.is_success, f"{response.status_code} {response.text}"
    else:
        assert response.status_code == status, f"{response.status_code} {response.text}"
    return response.json() if response.content else None


def parsed(record, value):
    model = getattr(types, record)
    return [model.model_validate(entry) for entry in value] if isinstance(value, list) else model.model_validate(value)


def records():
    """Each settings operation once: the answer is parsed by the package's closed model."""
    s = "/settings"
    key = call("POST", f"{s}/api-keys", {"name": "server", "scopes": ["keys:read"]})
    check("CreateApiKeyResponse", lambda: parsed("CreateApiKeyResponse", key))
    check("ApiKeyResponse", lambda: parsed("ApiKeyResponse", call("GET", f"{s}/api-keys")))
    check("ApiKeyScopesResponse", lambda: parsed("ApiKeyScopesResponse", call("GET", f"{s}/api-keys/scopes")))
    check("rotate", lambda: parsed("CreateApiKeyResponse", call("POST", f"{s}/api-keys/{key['id']}/rotate")))
    check("CreateAppKeyResponse", lambda: parsed("CreateAppKeyResponse", call("POST", f"{s}/app-keys", {"name": "a", "app_id": "a1"})))
    check("CreatePublishableKeyResponse", lambda: parsed("CreatePublishableKeyResponse", call("POST", f"{s}/publishable-keys", {"name": "w"})))
    check("BillingResponse", lambda: parsed("BillingResponse", call("GET", f"{s}/billing")))
    check("BillingInvoicesResponse", lambda: parsed("BillingInvoicesResponse", call("GET", f"{s}/billing/invoices")))
    check("BillingSupportContextResponse", lambda: parsed("BillingSupportContextResponse", call("GET", f"{s}/billing/support-context")))
    provider = {"provider": "openai_compatible", "base_url": f"{URL}/local/provider/v1", "api_key": os.environ["PROVIDER_KEY"]}
    connection = check("ConnectionResponse", lambda: call("POST", f"{s}/cloud-connections", {**provider, "connection_type": "byok"})) or {"id": "x"}
    check("ConnectionResponse, parsed", lambda: parsed("ConnectionResponse", connection))
    check("ConnectionResponse, listed", lambda: parsed("ConnectionResponse", call("GET", f"{s}/cloud-connections")))
    check("ConnectionModelsResponse", lambda: parsed("ConnectionModelsResponse", call("GET", f"{s}/cloud-connections/{connection['id']}/models")))
    check("TestConnectionResponse", lambda: parsed("TestConnectionResponse", call("POST", f"{s}/cloud-connections/{connection['id']}/test")))
    check("ConnectionResponse, patched", lambda: parsed("ConnectionResponse", call("PATCH", f"{s}/cloud-connections/{connection['id']}", {"label": "renamed"})))
    credential = check("CredentialResponse", lambda: call("POST", f"{s}/cloud-credentials", {"provider": "openai", "api_key": "sk-published-client"})) or {"id": "x"}
    check("CredentialResponse, parsed", lambda: parsed("CredentialResponse", credential))
    check("CredentialResponse, patched", lambda: parsed("CredentialResponse", call("PATCH", f"{s}/cloud-credentials/{credential['id']}", {"is_active": False})))
    check("CloudPolicyResponse", lambda: parsed("CloudPolicyResponse", call("GET", f"{s}/cloud-policy")))
    check("CloudPolicyResponse, patched", lambda: parsed("CloudPolicyResponse", call("PATCH", f"{s}/cloud-policy", {"cloud_credential_policy": "byok_only"})))
    target = check("LocalTargetResponse", lambda: call("POST", f"{s}/execution/local-targets", {"label": "box", "endpoint": f"{URL}/local/provider/v1"})) or {"id": "x"}
    check("LocalTargetResponse, parsed", lambda: parsed("LocalTargetResponse", target))
    check("LocalTargetResponse, listed", lambda: parsed("LocalTargetResponse", call("GET", f"{s}/execution/local-targets")))
    check("TestConnectionResponse of a target", lambda: parsed("TestConnectionResponse", call("POST", f"{s}/execution/local-targets/{target['id']}/test")))
    check("ExecutionConfigResponse", lambda: parsed("ExecutionConfigResponse", call("GET", f"{s}/execution")))
    check("ExecutionHealthResponse", lambda: parsed("ExecutionHealthResponse", call("GET", f"{s}/execution/health")))
    check("UpdateRoutingResponse", lambda: parsed("UpdateRoutingResponse", call("PATCH", f"{s}/execution/routing", {"cloud_routing_strategy": "least_busy"})))
    check("OrgSettingsResponse", lambda: parsed("OrgSettingsResponse", call("GET", s)))
    check("OrgSettingsResponse, patched", lambda: parsed("OrgSettingsResponse", call("PATCH", s, {"protect_production": True})))
    check("AuthConfigResponse", lambda: parsed("AuthConfigResponse", call("GET", f"{s}/auth")))
    check("AuthConfigResponse, patched", lambda: parsed("AuthConfigResponse", call("PATCH", f"{s}/auth", {"sso_domain": "acme.example"})))
    check("PoliciesResponse", lambda: parsed("PoliciesResponse", call("GET", f"{s}/policies")))
    check("PoliciesResponse, patched", lambda: parsed("PoliciesResponse", call("PATCH", f"{s}/policies", {"privacy_mode": "strict"})))
    check("IntegrationResponse", lambda: parsed("IntegrationResponse", call("POST", f"{s}/integrations", {"name": "chat", "integration_type": "slack"})))
    check("IntegrationResponse, listed", lambda: parsed("IntegrationResponse", call("GET", f"{s}/integrations")))
    check("ErrorEnvelope", lambda: parsed("ErrorEnvelope", call("GET", f"{s}/cloud-connections/conn_01jd3v7k3q9x5m2n8r4t6w0y11", status=404)))


def typed_client():
    """The nine calls of the generated client."""
    client = OctomilApiClient(URL, headers=headers(KEY))
    free = OctomilApiClient(URL, headers=headers(FREE_KEY))
    urls = {"success_url": f"{URL}/done", "cancel_url": f"{URL}/no"}
    session = check("checkout", lambda: free.settings_billing_create_checkout_session(json={"plan": "team", **urls}))
    check("the page of the checkout", lambda: httpx.get(str(session.url)).raise_for_status())
    check("portal", lambda: free.settings_billing_create_portal_session(json={"return_url": f"{URL}/back"}))
    owner = OctomilApiClient(URL, headers=headers(OWNER))
    check("billing override", lambda: owner.settings_billing_update(json={"plan": "enterprise"}))
    made = call("POST", "/settings/integrations", {"name": "hook", "integration_type": "webhook"})
    check("integration", lambda: client.settings_integrations_get(integration_id=made["id"]))
    url = "https://hooks.example.com/octomil"
    changed = check("integration, patched", lambda: client.settings_integrations_update(integration_id=made["id"], json={"webhook_url": url, "webhook_events": "api_key.*,billing.*"}))
    check("its events", lambda: equal(changed.webhook_events, "api_key.*,billing.*"))
    check("integration, validated", lambda: client.settings_integrations_validate(integration_id=made["id"]))
    check("integration, deleted", lambda: client.settings_integrations_delete(integration_id=made["id"]))
    check("usage limits", lambda: client.settings_usage_limits_get())
    limits = {"limits": [{"metric": "max_devices", "limit_value": 7}]}
    set_to = check("usage limits, put", lambda: client.settings_usage_limits_update(json=limits))
    check("the limit that was put", lambda: equal({entry.metric: entry.limit_value for entry in set_to.limits}["max_devices"], 7))


def older_client():
    client = EnterpriseClient(KEY, api_base=f"{URL}/api/v1")
    key = check("older: create", lambda: client.create_api_key(ORG, "older", scopes={"models": "read"}))
    check("older: list", lambda: parsed("ApiKeyResponse", client.list_api_keys(ORG)))
    check("older: revoke", lambda: parsed("ApiKeyResponse", client.revoke_api_key(key["id"])))
    check("older: settings", lambda: parsed("OrgSettingsResponse", client.get_settings(ORG)))
    check("older: update", lambda: equal(client.update_settings(ORG, audit_retention_days=400)["audit_retention_days"], 400))
    for preset in ("hipaa", "gdpr", "pci", "soc2"):
        check(f"older: compliance {preset}", lambda preset=preset: parsed("OrgSettingsResponse", client.set_compliance(ORG, preset)))


def command():
    """The command as a person runs it, in a home folder of its own."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "HOME": home,
            "OCTOMIL_API_KEY": KEY,
            "OCTOMIL_ORG_ID": ORG,
            "OCTOMIL_API_BASE": f"{URL}/api/v1",
            "OCTOMIL_DISABLE_TELEMETRY": "1",
        }

        def octomil(*arguments):
            program = os.path.join(os.path.dirname(sys.executable), "octomil")
            result = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=60)
            assert result.returncode == 0, result.stdout + result.stderr
            return result.stdout

        text = check("octomil keys create", lambda: octomil("keys", "create", "person", "--scope", "models:read"))
        check("the key that it prints", lambda: re.search(r"API Key: (oct_org_live_\w+)", text)[1])
        listed = check("octomil keys list", lambda: octomil("keys", "list"))
        check("the list that it prints", lambda: listed.index("person"))
        made = next(key for key in call("GET", f"/api-keys?org_id={ORG}") if key["name"] == "person")
        check("octomil keys revoke", lambda: octomil("keys", "revoke", made["id"], "--yes"))
        shown = check("octomil org", lambda: octomil("org"))
        check("the settings that it prints", lambda: re.search(r"Audit retention:\s+\d+ days", shown)[0])


records()
typed_client()
older_client()
command()
print(f"{count - len(failures)} of {count} checks")
sys.exit(1 if failures else 0)
