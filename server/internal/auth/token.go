package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TokenConfig sets what access tokens say and how they are checked.
type TokenConfig struct {
	Issuer   string        // iss, compared exactly
	Audience string        // aud, compared exactly
	TTL      time.Duration // lifetime, default 15 min
	Skew     time.Duration // how far the clocks of replicas may differ, default 30 s; at exactly this distance a token still counts
}

// Tokens issues and checks access tokens: JWTs as RFC 9068 profiles them,
// signed with RS256 and nothing else. It is safe for concurrent use.
type Tokens struct {
	keys  *Keyring
	clock kgl.Clock
	ids   kgl.IDSource
	cfg   TokenConfig
}

// NewTokens returns Tokens on a keyring.
func NewTokens(keys *Keyring, clock kgl.Clock, ids kgl.IDSource, cfg TokenConfig) (*Tokens, error) {
	if cfg.Issuer == "" || cfg.Audience == "" {
		return nil, kgl.Errorf(kgl.CodeInvalid, "tokens need an issuer and an audience")
	}
	cfg.TTL = orDefault(cfg.TTL, 15*time.Minute)
	cfg.Skew = orDefault(cfg.Skew, 30*time.Second)
	return &Tokens{keys: keys, clock: clock, ids: ids, cfg: cfg}, nil
}

// TTL returns the lifetime of a token.
func (t *Tokens) TTL() time.Duration { return t.cfg.TTL }

// AccessClaims are what an access token says.
type AccessClaims struct {
	Subject   string // id of the user
	Role      kgl.Role
	Scopes    []string
	SessionID string
	TokenID   string
	IssuedAt  time.Time
	NotBefore time.Time
	ExpiresAt time.Time
	KeyID     string // kid of the key that signed it
}

// wireClaims is the JSON of the claims that we issue.
type wireClaims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	ExpiresAt int64  `json:"exp"`
	NotBefore int64  `json:"nbf"`
	IssuedAt  int64  `json:"iat"`
	TokenID   string `json:"jti"`
	SessionID string `json:"sid"`
	Role      string `json:"role"`
	Scope     string `json:"scope"`
}

// Issue returns a signed access token for a session, and its claims.
func (t *Tokens) Issue(subject string, role kgl.Role, scopes []string, sessionID string) (string, AccessClaims, error) {
	key, err := t.keys.signer()
	if err != nil {
		return "", AccessClaims{}, err
	}
	now := t.clock.Now().Truncate(time.Second)
	c := AccessClaims{
		Subject: subject, Role: role, Scopes: scopes, SessionID: sessionID, TokenID: t.ids.NewID(),
		IssuedAt: now, NotBefore: now, ExpiresAt: now.Add(t.cfg.TTL), KeyID: key.ID,
	}
	payload, err := json.Marshal(wireClaims{
		Issuer: t.cfg.Issuer, Subject: c.Subject, Audience: t.cfg.Audience,
		ExpiresAt: c.ExpiresAt.Unix(), NotBefore: c.NotBefore.Unix(), IssuedAt: c.IssuedAt.Unix(),
		TokenID: c.TokenID, SessionID: c.SessionID, Role: string(c.Role), Scope: FormatScope(c.Scopes),
	})
	if err != nil {
		return "", AccessClaims{}, fmt.Errorf("encode the claims of a token: %w", err)
	}
	token, err := signRS256(key.private, key.ID, payload)
	if err != nil {
		return "", AccessClaims{}, err
	}
	return token, c, nil
}

// Verify returns the claims of a token that this installation issued for
// itself and that is valid now. Every other token is a CodeUnauthenticated
// error with one message; its cause, for the log, repeats nothing of the token.
func (t *Tokens) Verify(ctx context.Context, token string) (AccessClaims, error) {
	kid, payload, err := t.open(ctx, token)
	if err != nil {
		return AccessClaims{}, unauthenticated(err)
	}
	claims, err := t.readClaims(payload)
	if err != nil {
		return AccessClaims{}, unauthenticated(err)
	}
	claims.KeyID = kid
	if err := t.checkTimes(claims); err != nil {
		return AccessClaims{}, unauthenticated(err)
	}
	return claims, nil
}

func unauthenticated(cause error) error {
	return kgl.Wrap(cause, kgl.CodeUnauthenticated, "the access token is missing, expired or not valid")
}

// open checks form, header and signature, in this order, and returns the id of
// the key and the payload.
func (t *Tokens) open(ctx context.Context, token string) (string, []byte, error) {
	header, err := parseHeader(token)
	if err != nil {
		return "", nil, err
	}
	if header.Type != typeAccess && header.Type != "application/"+typeAccess {
		return "", nil, errors.New("typ is not that of an access token")
	}
	key, ok := t.keys.verifier(ctx, header.KeyID)
	if !ok {
		return "", nil, errors.New("the kid is unknown")
	}
	payload, err := verifyRS256(token, key)
	if err != nil {
		return "", nil, errors.New("the signature is wrong")
	}
	return header.KeyID, payload, nil
}

const (
	maxTokenBytes = 8 << 10
	maxKeyIDBytes = 128
)

type tokenHeader struct{ KeyID, Type string }

// parseHeader checks the form of a compact JWS and reads its header. The
// algorithm is pinned, and a header parameter other than alg, kid and typ is
// refused: none of jku, jwk, x5u, x5c, crit, b64 and zip has a meaning here.
func parseHeader(token string) (tokenHeader, error) {
	if len(token) > maxTokenBytes {
		return tokenHeader{}, errors.New("the token is too long")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[2] == "" {
		return tokenHeader{}, errors.New("not a signed token in compact form")
	}
	var raw []byte
	for i, part := range parts {
		// The decoder skips line ends, which no token may have.
		if strings.ContainsAny(part, "\r\n") {
			return tokenHeader{}, errors.New("not base64url")
		}
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return tokenHeader{}, errors.New("not base64url")
		}
		if i == 0 {
			raw = decoded
		}
	}
	fields, err := decodeObject(raw)
	if err != nil {
		return tokenHeader{}, fmt.Errorf("header: %w", err)
	}
	var header tokenHeader
	var algorithm string
	for name, value := range fields {
		target, ok := map[string]*string{"alg": &algorithm, "kid": &header.KeyID, "typ": &header.Type}[name]
		if !ok {
			return tokenHeader{}, errors.New("the header has a parameter that is not allowed")
		}
		if *target, err = jsonString(value); err != nil {
			return tokenHeader{}, errors.New("a header parameter is not text")
		}
	}
	if algorithm != algorithmRS256 {
		return tokenHeader{}, errors.New("the algorithm is not RS256")
	}
	if !validKeyID(header.KeyID) {
		return tokenHeader{}, errors.New("the kid has a form that no key of ours has")
	}
	return header, nil
}

// validKeyID reports whether kid is made of the base64url alphabet, as every
// thumbprint is. Nothing else reaches a lookup or a log line.
func validKeyID(kid string) bool {
	if kid == "" || len(kid) > maxKeyIDBytes {
		return false
	}
	return !strings.ContainsFunc(kid, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// readClaims reads the claims and checks those that do not depend on the time.
func (t *Tokens) readClaims(payload []byte) (AccessClaims, error) {
	fields, err := decodeObject(payload)
	if err != nil {
		return AccessClaims{}, fmt.Errorf("claims: %w", err)
	}
	if issuer, err := jsonString(fields["iss"]); err != nil || issuer != t.cfg.Issuer {
		return AccessClaims{}, errors.New("iss is not ours")
	}
	if !hasAudience(fields["aud"], t.cfg.Audience) {
		return AccessClaims{}, errors.New("aud is not ours")
	}
	var c AccessClaims
	var role, scope string
	for name, target := range map[string]*string{
		"sub": &c.Subject, "sid": &c.SessionID, "jti": &c.TokenID, "role": &role,
	} {
		if *target, err = jsonString(fields[name]); err != nil || *target == "" {
			return AccessClaims{}, fmt.Errorf("%s is missing or not text", name)
		}
	}
	// A token without a scope is genuine; it is allowed nothing.
	if value, ok := fields["scope"]; ok {
		if scope, err = jsonString(value); err != nil {
			return AccessClaims{}, errors.New("scope is not text")
		}
	}
	for name, target := range map[string]*time.Time{"exp": &c.ExpiresAt, "iat": &c.IssuedAt} {
		if *target, err = numericDate(fields[name]); err != nil {
			return AccessClaims{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	c.NotBefore = c.IssuedAt
	if value, ok := fields["nbf"]; ok {
		if c.NotBefore, err = numericDate(value); err != nil {
			return AccessClaims{}, fmt.Errorf("nbf: %w", err)
		}
	}
	c.Role, c.Scopes = kgl.Role(role), strings.Fields(scope)
	return c, nil
}

func (t *Tokens) checkTimes(c AccessClaims) error {
	now := t.clock.Now()
	switch {
	case now.After(c.ExpiresAt.Add(t.cfg.Skew)):
		return errors.New("the token has expired")
	case now.Before(c.NotBefore.Add(-t.cfg.Skew)):
		return errors.New("the token is not valid yet")
	case now.Before(c.IssuedAt.Add(-t.cfg.Skew)):
		return errors.New("the token was issued in the future")
	}
	return nil
}
