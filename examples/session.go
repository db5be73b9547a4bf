// Package examples holds what the example programs share: logging in.
package examples

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/peermesh/kgl-backend/gen/client"
)

// Login returns a client that sends the access token of a fresh login. The
// server and the account come from BACKEND_URL, BACKEND_EMAIL and BACKEND_PASSWORD.
func Login(ctx context.Context) (*client.ClientWithResponses, error) {
	server := os.Getenv("BACKEND_URL")
	if server == "" {
		server = "http://127.0.0.1:8000"
	}
	anonymous, err := client.NewClientWithResponses(server)
	if err != nil {
		return nil, err
	}
	login, err := anonymous.LoginWithResponse(ctx, client.LoginJSONRequestBody{
		Email: os.Getenv("BACKEND_EMAIL"), Password: os.Getenv("BACKEND_PASSWORD"),
	})
	if err != nil {
		return nil, err
	}
	if login.JSON200 == nil {
		return nil, fmt.Errorf("login: %s: %s", login.Status(), login.Body)
	}
	token := login.JSON200.AccessToken
	return client.NewClientWithResponses(server, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}))
}
