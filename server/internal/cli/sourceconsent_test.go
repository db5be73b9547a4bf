package cli

import (
	"strings"
	"testing"
)

func TestSourceConsents(t *testing.T) {
	onEngines(t, func(s *shell) {
		s.want(0, line("migrate up"))
		for _, name := range []string{"a", "b"} {
			s.want(0, line("source add --no-check https://"+name+".example/ --tag "+name))
		}
		s.want(0, line("source show https://a.example/"), "allowed (nobody decided)")
		s.want(2, line("source edit --tag a --ai-processing=maybe"), "allow or deny")
		s.want(0, line("source edit --tag a --ai-processing=deny --publication=allow --dry-run"), "would change 1 of 1 sources")
		s.want(0, line("source show https://a.example/"), "allowed (nobody decided)")
		s.want(0, line("source edit --tag a --ai-processing=deny --publication=allow"), "changed 1 of 1 sources")
		r := s.want(0, line("source show https://a.example/"), "denied since ", "allowed since ", "by operator")
		if strings.Contains(r.stdout, "nobody decided") {
			s.t.Errorf("shown:\n%s", r.stdout)
		}
		s.want(0, line("source show --json https://a.example/"), `"ai_processing":{"allowed":false`)
		s.want(0, line("source edit --all --ai-processing=deny"), "changed 1 of 2 sources") // the other is denied already
		s.want(0, line("source edit --all --ai-processing=allow --add-tag x"), "changed 2 of 2 sources")
		s.want(0, line("audit verify"), "audit log is intact")
	})
}
