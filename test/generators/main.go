// Calls the service once each way with the client that openapi-generator made for Go: list, create, decode a problem.
package main

import (
	"context"
	"os"

	octomil "github.com/GIT_USER_ID/GIT_REPO_ID"
)

func check(ok bool, what any) {
	if !ok {
		panic(what)
	}
}

func main() {
	configuration := octomil.NewConfiguration()
	configuration.Servers = octomil.ServerConfigurations{{URL: os.Getenv("SERVICE_URL")}}
	client := octomil.NewAPIClient(configuration)
	with := func(token string) context.Context {
		return context.WithValue(context.Background(), octomil.ContextAccessToken, token)
	}
	admin := with(os.Getenv("SERVICE_KEY"))
	body := octomil.NewApiKeysCreateRequest("made by a generated client", []string{"keys:read"})
	key, _, err := client.APIKeysAPI.SettingsApiKeysCreate(admin).ApiKeysCreateRequest(*body).Execute()
	check(err == nil, err)
	check(key.GetApiKey() != "", key)
	page, _, err := client.APIKeysAPI.SettingsApiKeysList(admin).Execute()
	check(err == nil, err)
	check(page.GetData()[0].GetId() == key.GetId(), page)
	_, _, err = client.APIKeysAPI.SettingsApiKeysList(with("oct_org_live_unknown")).Execute()
	refused, ok := err.(*octomil.GenericOpenAPIError)
	check(ok, err)
	problem, ok := refused.Model().(octomil.Problem)
	check(ok && problem.GetStatus() == 401, refused.Model())
}
