package httpapi

import (
	"context"
	"encoding/json"
	"time"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// LoginService begins, prolongs and ends sessions. An *auth.Logins is one.
type LoginService interface {
	Login(ctx context.Context, c auth.Credentials, from auth.Client) (auth.TokenSet, error)
	Refresh(ctx context.Context, refreshToken, scope string) (auth.TokenSet, error)
	Logout(ctx context.Context, principal kgl.Principal, refreshToken string) error
}

// KeyPublisher gives out the public keys. An *auth.Keyring is one.
type KeyPublisher interface {
	// JWKS returns a JSON Web Key Set.
	JWKS() ([]byte, error)
}

const noStore = "no-store"

type userAgentKey struct{}

// client tells where the request of ctx comes from.
func client(ctx context.Context) auth.Client {
	agent, _ := ctx.Value(userAgentKey{}).(string)
	return auth.Client{Address: kgl.RequestFrom(ctx).Address, UserAgent: agent}
}

// Login begins a session.
func (s *server) Login(ctx context.Context, r api.LoginRequestObject) (api.LoginResponseObject, error) {
	tokens, err := s.Logins.Login(ctx, auth.Credentials{Email: r.Body.Email, Password: r.Body.Password}, client(ctx))
	if err != nil {
		return nil, err
	}
	return api.Login200JSONResponse{Body: toTokenSet(tokens), Headers: api.Login200ResponseHeaders{CacheControl: ptr(noStore)}}, nil
}

// RefreshTokens exchanges a refresh token.
func (s *server) RefreshTokens(ctx context.Context, r api.RefreshTokensRequestObject) (api.RefreshTokensResponseObject, error) {
	tokens, err := s.Logins.Refresh(ctx, r.Body.RefreshToken, "")
	if err != nil {
		return nil, err
	}
	return api.RefreshTokens200JSONResponse{Body: toTokenSet(tokens), Headers: api.RefreshTokens200ResponseHeaders{CacheControl: ptr(noStore)}}, nil
}

// IssueToken is the OAuth 2.0 token endpoint: the password grant (RFC 6749
// section 4.3) and the refresh grant (section 6).
func (s *server) IssueToken(ctx context.Context, r api.IssueTokenRequestObject) (api.IssueTokenResponseObject, error) {
	var tokens auth.TokenSet
	var err error
	scope := valueOr(r.Body.Scope, "")
	switch r.Body.GrantType {
	case "password":
		email, password := valueOr(r.Body.Username, ""), valueOr(r.Body.Password, "")
		if email == "" || password == "" {
			return nil, &oauthError{code: "invalid_request", description: "The password grant needs username and password."}
		}
		tokens, err = s.Logins.Login(ctx, auth.Credentials{Email: email, Password: password, Scope: scope}, client(ctx))
	case "refresh_token":
		token := valueOr(r.Body.RefreshToken, "")
		if token == "" {
			return nil, &oauthError{code: "invalid_request", description: "The refresh_token grant needs refresh_token."}
		}
		tokens, err = s.Logins.Refresh(ctx, token, scope)
	default:
		return nil, &oauthError{code: "unsupported_grant_type", description: "The grants are password and refresh_token."}
	}
	if err != nil {
		if kgl.Is(err, kgl.CodeInvalid) {
			return nil, &oauthError{code: "invalid_scope", description: "The scope is unknown, or beyond what may be granted."}
		}
		return nil, err
	}
	return api.IssueToken200JSONResponse{
		Body: api.OAuthToken{
			AccessToken: tokens.AccessToken, TokenType: api.OAuthTokenTokenTypeBearer, ExpiresIn: int(tokens.ExpiresIn / time.Second),
			RefreshToken: tokens.RefreshToken, Scope: auth.FormatScope(tokens.Scopes),
		},
		Headers: api.IssueToken200ResponseHeaders{CacheControl: ptr(noStore)},
	}, nil
}

// Logout ends the session of the token.
func (s *server) Logout(ctx context.Context, r api.LogoutRequestObject) (api.LogoutResponseObject, error) {
	refreshToken := ""
	if r.Body != nil {
		refreshToken = valueOr(r.Body.RefreshToken, "")
	}
	if err := s.Logins.Logout(ctx, kgl.PrincipalFrom(ctx), refreshToken); err != nil {
		return nil, ownAccount(err)
	}
	return api.Logout204Response{}, nil
}

// GetCurrentUser returns the account of the token.
func (s *server) GetCurrentUser(ctx context.Context, _ api.GetCurrentUserRequestObject) (api.GetCurrentUserResponseObject, error) {
	user, err := s.Accounts.Get(ctx, kgl.PrincipalFrom(ctx).ID)
	if err != nil {
		return nil, ownAccount(err)
	}
	return api.GetCurrentUser200JSONResponse{Body: toUser(user), Headers: api.GetCurrentUser200ResponseHeaders{ETag: versionTag(user.Version)}}, nil
}

// ChangePassword changes the password of the token's account.
func (s *server) ChangePassword(ctx context.Context, r api.ChangePasswordRequestObject) (api.ChangePasswordResponseObject, error) {
	if err := s.Accounts.ChangePassword(ctx, kgl.PrincipalFrom(ctx).ID, r.Body.CurrentPassword, r.Body.NewPassword); err != nil {
		return nil, ownAccount(err)
	}
	return api.ChangePassword204Response{}, nil
}

// GetJWKS returns the public keys.
func (s *server) GetJWKS(context.Context, api.GetJWKSRequestObject) (api.GetJWKSResponseObject, error) {
	keys, err := s.jwks()
	return api.GetJWKS200JSONResponse{Body: keys}, err
}

// GetWellKnownJWKS returns the public keys at their usual place.
func (s *server) GetWellKnownJWKS(context.Context, api.GetWellKnownJWKSRequestObject) (api.GetWellKnownJWKSResponseObject, error) {
	keys, err := s.jwks()
	return api.GetWellKnownJWKS200JSONResponse{Body: keys}, err
}

func (s *server) jwks() (api.JWKS, error) {
	data, err := s.Keys.JWKS()
	if err != nil {
		return api.JWKS{}, err
	}
	var keys api.JWKS
	if err := json.Unmarshal(data, &keys); err != nil {
		return api.JWKS{}, kgl.Wrap(err, kgl.CodeInternal, "the key set cannot be read")
	}
	return keys, nil
}

// ownAccount is the error about the account or the session of the token: when it
// is gone, deleted in this very moment, the token is no longer valid.
func ownAccount(err error) error {
	if kgl.Is(err, kgl.CodeNotFound) {
		return kgl.Wrap(err, kgl.CodeUnauthenticated, "the access token is no longer valid")
	}
	return err
}

func toTokenSet(t auth.TokenSet) api.TokenSet {
	return api.TokenSet{
		AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, TokenType: api.TokenSetTokenTypeBearer,
		ExpiresIn: int(t.ExpiresIn / time.Second), Scope: auth.FormatScope(t.Scopes), User: toUser(t.User),
	}
}

func ptr[T any](v T) *T { return &v }
