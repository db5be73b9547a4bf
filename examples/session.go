// Package examples holds what the example programs share: a session that stays
// logged in, retries, and a record of what a program has handled.
package examples

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// Login returns a client that is logged in, stays so, and tries again when the
// service asks for it. The server and the account come from BACKEND_URL,
// BACKEND_EMAIL and BACKEND_PASSWORD.
func Login(ctx context.Context) (*client.ClientWithResponses, error) {
	server := os.Getenv("BACKEND_URL")
	if server == "" {
		server = "http://127.0.0.1:8000"
	}
	patient := &Retrying{Next: http.DefaultClient, Tries: 4}
	session := &Session{Server: server, Email: os.Getenv("BACKEND_EMAIL"), Password: os.Getenv("BACKEND_PASSWORD"), Next: patient}
	if _, err := session.token(ctx, ""); err != nil {
		return nil, err
	}
	return client.NewClientWithResponses(server, client.WithHTTPClient(session))
}

// region session

// Session puts an access token on every request. It exchanges the refresh token
// when the access token is about to end, and logs in when that is refused.
type Session struct {
	Server, Email, Password string
	Next                    client.HttpRequestDoer

	mu      sync.Mutex
	tokens  client.TokenSet
	renewAt time.Time
}

// Do sends a request with a token, and once more with a new one when the
// service does not accept the first: an administrator may have ended the session.
func (s *Session) Do(req *http.Request) (*http.Response, error) {
	token, err := s.token(req.Context(), "")
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := s.Next.Do(req)
	if err != nil || res.StatusCode != http.StatusUnauthorized || (req.Body != nil && req.GetBody == nil) {
		return res, err
	}
	res.Body.Close()
	if token, err = s.token(req.Context(), token); err != nil {
		return nil, err
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	again.Header.Set("Authorization", "Bearer "+token)
	return s.Next.Do(again)
}

// token returns an access token other than the refused one. One caller at a
// time renews it: a refresh token is used once.
func (s *Session) token(ctx context.Context, refused string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens.AccessToken != "" && s.tokens.AccessToken != refused && time.Now().Before(s.renewAt) {
		return s.tokens.AccessToken, nil
	}
	next, err := s.renew(ctx)
	if err != nil {
		return "", err
	}
	s.tokens = *next
	// A minute early, so that no request is on its way when the token ends.
	s.renewAt = time.Now().Add(time.Duration(next.ExpiresIn)*time.Second - time.Minute)
	return next.AccessToken, nil
}

func (s *Session) renew(ctx context.Context) (*client.TokenSet, error) {
	kgl, err := client.NewClientWithResponses(s.Server, client.WithHTTPClient(s.Next))
	if err != nil {
		return nil, err
	}
	if s.tokens.RefreshToken != "" {
		res, err := kgl.RefreshTokensWithResponse(ctx, client.RefreshRequest{RefreshToken: s.tokens.RefreshToken})
		if err != nil {
			return nil, err
		}
		if res.JSON200 != nil {
			return res.JSON200, nil
		}
	}
	res, err := kgl.LoginWithResponse(ctx, client.LoginRequest{Email: s.Email, Password: s.Password})
	if err != nil {
		return nil, err
	}
	if res.JSON200 == nil {
		return nil, Failed("log in", res.StatusCode(), res.Body)
	}
	return res.JSON200, nil
}

// endregion session

// Failed describes an answer that was not the expected one. Its body is a
// problem document with a stable code and the id of the request.
func Failed(what string, status int, body []byte) error {
	return fmt.Errorf("%s: %d: %s", what, status, body)
}
