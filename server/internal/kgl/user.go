package kgl

import "time"

// Role is what a user is in the installation. Roles map to scopes.
type Role string

// The roles.
const (
	RoleUser      Role = "user"
	RoleModerator Role = "moderator"
	RoleAdmin     Role = "admin"
)

// UserStatus says whether a user may log in.
type UserStatus string

// The states of a user.
const (
	UserActive   UserStatus = "active"
	UserDisabled UserStatus = "disabled"
)

// User is a person with an account.
type User struct {
	ID           string
	Email        string
	EmailKey     string // NormalizeEmail(Email); unique
	Name         string
	Role         Role
	Status       UserStatus
	PasswordHash string // PHC string
	Version      int64  // the ETag
	LastLoginAt  *time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// UserFilter selects users; a zero field does not filter.
type UserFilter struct {
	Role        Role
	Status      UserStatus
	EmailPrefix string // normalised as NormalizeEmail does
}

// Session is a login: the family of refresh tokens that descend from it.
// Revoking it ends its refresh tokens and its access tokens.
type Session struct {
	ID           string
	UserID       string
	Scope        string // space separated
	UserAgent    string
	Address      string
	CreatedAt    time.Time
	ExpiresAt    time.Time
	RevokedAt    *time.Time
	RevokeReason string
}

// RefreshToken is one link of a session's chain. Only its hash is stored.
type RefreshToken struct {
	ID              string
	SessionID       string
	TokenHash       string // SHA-256, hex; unique
	CreatedAt       time.Time
	ExpiresAt       time.Time
	UsedAt          *time.Time
	SuccessorSealed string // the successor's plaintext, sealed under a key derived from this token
}

// SessionState is what a check of an access token needs to know.
type SessionState struct {
	SessionID string
	Revoked   bool
	ExpiresAt time.Time
	UserID    string
	Role      Role
	Status    UserStatus
}

// LoginThrottle counts failed logins under a key, shared by all replicas.
type LoginThrottle struct {
	Key          string // such as "account:<hash>", "address:<prefix>"
	Failures     int64
	WindowStart  time.Time
	BlockedUntil *time.Time
	UpdatedAt    time.Time
}

// SigningKey is a key pair for access tokens. Where PrivateKey is stored, it
// is sealed.
type SigningKey struct {
	ID         string // kid
	Algorithm  string // RS256
	PublicKey  string // JWK, JSON
	PrivateKey string // sealed; the store never sees the plaintext
	CreatedAt  time.Time
	ActiveAt   time.Time  // signs from then on
	RetiredAt  *time.Time // signs no more; verifies until ExpiresAt
	ExpiresAt  *time.Time
}

// IdempotencyRecord remembers the answer to a request that carried an
// Idempotency-Key, so that a repeated request gets the same answer.
type IdempotencyRecord struct {
	Principal   string // principal type and id
	Key         string
	Operation   string // operationId
	RequestHash string // SHA-256 of the request's meaning, hex
	Completed   bool
	Status      int64
	Header      map[string]string
	Body        []byte
	CreatedAt   time.Time
	ExpiresAt   time.Time
}
