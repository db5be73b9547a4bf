package auth

import (
	"slices"
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The scopes of the API: an area and what may be done in it. An operation
// names the scope that it needs in the contract; ScopeProfile covers what every
// user may do with the own account.
const (
	ScopeSourcesRead     = "sources:read"
	ScopeSourcesWrite    = "sources:write"
	ScopeContentRead     = "content:read"
	ScopeContentWrite    = "content:write"
	ScopeEntitiesRead    = "entities:read" // covers relationships
	ScopeEntitiesWrite   = "entities:write"
	ScopeEnrichmentRead  = "enrichment:read"  // tasks and extractions
	ScopeEnrichmentWrite = "enrichment:write" // what the AI module needs
	ScopeDashboardRead   = "dashboard:read"
	ScopeUsersRead       = "users:read"
	ScopeUsersWrite      = "users:write"
	ScopeAuditRead       = "audit:read"
	ScopeProfile         = "profile"
)

// AllScopes returns every scope in the order of the contract.
func AllScopes() []string {
	return []string{
		ScopeSourcesRead, ScopeSourcesWrite, ScopeContentRead, ScopeContentWrite,
		ScopeEntitiesRead, ScopeEntitiesWrite, ScopeEnrichmentRead, ScopeEnrichmentWrite, ScopeDashboardRead,
		ScopeUsersRead, ScopeUsersWrite, ScopeAuditRead, ScopeProfile,
	}
}

// RoleScopes returns the scopes of a role, none for a role that does not
// exist. The caller owns the slice.
func RoleScopes(role kgl.Role) []string {
	user := []string{ScopeSourcesRead, ScopeContentRead, ScopeEntitiesRead, ScopeDashboardRead, ScopeProfile}
	switch role {
	case kgl.RoleUser:
		return user
	case kgl.RoleModerator:
		return append(user, ScopeSourcesWrite, ScopeContentWrite, ScopeEntitiesWrite, ScopeEnrichmentRead, ScopeEnrichmentWrite)
	case kgl.RoleAdmin:
		return AllScopes()
	}
	return nil
}

// ValidRole reports whether role exists.
func ValidRole(role kgl.Role) bool { return RoleScopes(role) != nil }

// ParseScope splits a scope parameter (RFC 6749 section 3.3) and drops
// repetitions. A CodeInvalid error tells of a scope that does not exist.
func ParseScope(text string) ([]string, error) {
	known := AllScopes()
	var scopes []string
	for _, s := range strings.Fields(text) {
		if !slices.Contains(known, s) {
			return nil, kgl.Invalid("scope", "unknown scope")
		}
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return scopes, nil
}

// FormatScope joins scopes with single spaces, as tokens carry them.
func FormatScope(scopes []string) string { return strings.Join(scopes, " ") }

// GrantScopes returns the scopes of a new session: those that were requested,
// or all of the role when none were. A CodeInvalid error tells of a requested
// scope that does not exist or exceeds the role.
func GrantScopes(role kgl.Role, requested string) ([]string, error) {
	scopes, err := ParseScope(requested)
	if err != nil {
		return nil, err
	}
	granted := RoleScopes(role)
	if len(scopes) == 0 {
		return granted, nil
	}
	for _, s := range scopes {
		if !slices.Contains(granted, s) {
			return nil, kgl.Invalid("scope", "exceeds what this account may do")
		}
	}
	return scopes, nil
}

// EffectiveScopes returns the scopes of a token that its owner's present role
// still has: a demoted user keeps no right of the old role.
func EffectiveScopes(token []string, role kgl.Role) []string {
	granted := RoleScopes(role)
	effective := make([]string, 0, len(token))
	for _, s := range token {
		if slices.Contains(granted, s) {
			effective = append(effective, s)
		}
	}
	return effective
}
