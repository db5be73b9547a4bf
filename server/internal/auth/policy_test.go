package auth

import (
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestRoleScopes(t *testing.T) {
	user, moderator, admin := RoleScopes(kgl.RoleUser), RoleScopes(kgl.RoleModerator), RoleScopes(kgl.RoleAdmin)
	if !slices.Equal(user, []string{"sources:read", "content:read", "entities:read", "dashboard:read", "profile"}) {
		t.Errorf("user = %v", user)
	}
	for _, s := range user {
		if !slices.Contains(moderator, s) {
			t.Errorf("moderator lacks %s", s)
		}
	}
	for _, s := range []string{"users:read", "users:write", "audit:read"} {
		if slices.Contains(moderator, s) || slices.Contains(user, s) || !slices.Contains(admin, s) {
			t.Errorf("%s is not for admins only", s)
		}
	}
	for _, s := range []string{"enrichment:read", "enrichment:write"} {
		if slices.Contains(user, s) || !slices.Contains(moderator, s) || !slices.Contains(admin, s) {
			t.Errorf("%s is not for moderators and admins", s)
		}
	}
	if !slices.Equal(admin, AllScopes()) {
		t.Errorf("admin = %v", admin)
	}
	if RoleScopes("root") != nil || ValidRole("root") || ValidRole("") || !ValidRole(kgl.RoleModerator) {
		t.Error("a role that does not exist counts")
	}
}

func TestGrantScopes(t *testing.T) {
	for requested, want := range map[string][]string{
		"":                                      RoleScopes(kgl.RoleUser),
		"  ":                                    RoleScopes(kgl.RoleUser),
		"content:read":                          {"content:read"},
		" profile  content:read content:read\t": {"profile", "content:read"},
		"users:write":                           nil,
		"content:read sources:write":            nil,
		"content:readonly":                      nil,
		"Content:read":                          nil,
	} {
		got, err := GrantScopes(kgl.RoleUser, requested)
		if want == nil {
			wantCode(t, err, kgl.CodeInvalid)
			continue
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("GrantScopes(%q) = %v, %v; want %v", requested, got, err, want)
		}
	}
}

func TestEffectiveScopesFollowTheRole(t *testing.T) {
	got := EffectiveScopes(AllScopes(), kgl.RoleUser)
	for _, s := range got {
		if !slices.Contains(RoleScopes(kgl.RoleUser), s) {
			t.Errorf("a demoted admin keeps %s", s)
		}
	}
	if got := EffectiveScopes([]string{"profile"}, kgl.RoleAdmin); !slices.Equal(got, []string{"profile"}) {
		t.Errorf("a narrow token widened to %v", got)
	}
}
