package feed

import (
	"strings"
	"testing"
)

// ruleBlock is a part of the file without an empty line: rules by their
// numbers, and the examples that need them.
type ruleBlock struct {
	section     string
	line        int
	first, last int // rules from first to before last
	examples    []string
}

// ruleBlocks splits the file as a reader of it does.
func ruleBlocks(t *testing.T, text string) []ruleBlock {
	t.Helper()
	r := &ruleReader{without: -1, rules: &urlRules{hosts: map[string]*hostRules{}, below: map[string]*hostRules{}, anywhere: map[string]*hostRules{}}}
	sections := r.sections()
	var blocks []ruleBlock
	section, open := "", false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			open = false
			continue
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		}
		if !open {
			blocks = append(blocks, ruleBlock{section: section, line: i + 1, first: r.count})
			open = true
		}
		b := &blocks[len(blocks)-1]
		switch {
		case line[0] == '#', line[0] == '[':
		case isExample(line):
			b.examples = append(b.examples, line)
		default:
			if err := sections[section](line); err != nil {
				t.Fatal(err)
			}
		}
		b.section, b.last = section, r.count
	}
	return blocks
}

// holds reports whether an example is what the rules make of it.
func holds(t *testing.T, rules *urlRules, example string) (got string, ok bool) {
	t.Helper()
	from, to, err := readExample(example)
	if err != nil {
		t.Fatal(err)
	}
	got, err = rules.canonical(from)
	return got, err == nil && got == to
}

// TestURLRules holds the file to its promises: every example is true, and every
// rule is needed by an example of its block.
func TestURLRules(t *testing.T) {
	rules, examples := 0, 0
	for _, b := range ruleBlocks(t, urlRulesText) {
		for _, example := range b.examples {
			examples++
			if got, ok := holds(t, pageRules, example); !ok {
				t.Errorf("line %d and below: %s: is %q", b.line, example, got)
			}
		}
		for n := b.first; n < b.last; n++ {
			rules++
			fewer, err := readURLRules(urlRulesText, n)
			if err != nil {
				t.Fatal(err)
			}
			needed := false
			for _, example := range b.examples {
				_, ok := holds(t, fewer, example)
				needed = needed || !ok
			}
			if !needed {
				t.Errorf("line %d and below, [%s]: no example needs rule %d of the block", b.line, b.section, n-b.first+1)
			}
		}
	}
	if rules < 200 || examples < 100 {
		t.Errorf("%d rules with %d examples", rules, examples)
	}
	t.Logf("%d rules, %d examples", rules, examples)
}

// A rule that cannot be read is named by its line.
func TestURLRulesThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"utm_*":                            "line 1: a rule before the first [section]",
		"\n\n[nonsense]":                   "line 3: there is no section [nonsense]",
		"[parameters]\nUTM":                "line 2: \"UTM\" is not a parameter",
		"[parameters]\na b*=1":             "\"b*=1\" is not a parameter",
		"[parameters]\na=\na":              "\"a\" stands twice",
		"[parameters]\na a":                "\"a\" stands twice",
		"[parameters]\na={x:y}":            "does not say how many",
		"[parameters]\na={0}":              "does not say how many",
		"[parameters]\na={5":               "is not a pattern",
		"[parameters of a host]\nx.org":    "HOST PARAMETER",
		"[parameters of a host]\nWww.x a":  "is not a host",
		"[parameters of a host]\nwww.x a":  "is not a host",
		"[parameters of a host]\n*.x.* a":  "is not a host",
		"[parameters of a host]\nx a":      "is not a host",
		"[parameters of a host]\nx.y.* a":  "is not a host",
		"[only parameters]\nx.org a":       "is not a host with a path",
		"[only parameters]\nx.org/a":       "HOST/PATH PARAMETER",
		"[host labels]\nwww.m":             "is not a label",
		"[hosts]\na.org b.org":             "HOST HOST -> HOST",
		"[hosts]\n*.a.org -> b.org":        "HOST HOST -> HOST",
		"[caches]\na.org":                  "is not a host with a path",
		"[redirects]\na.org/x":             "HOST/PATH PARAMETER",
		"[paths]\na.org/{x} -> b.org/{y}":  "wants what the pattern does not have",
		"[paths]\na.org/{x}":               "HOST/PATTERN",
		"[paths]\na.org/{x} -> b":          "HOST/PATTERN",
		"[paths]\na.org/{} -> b.org/":      "does not say how many",
		"[paths]\na.org/x{*} -> b.org/{*}": "is not a pattern",
		"[path endings]\n/amp":             "an ending is written",
		"[path endings]\n/a -> /amp":       "an ending is written",
		"[path sessions]\nsid":             "is neither",
		"[host labels]\nhttps://a.org/":    "an example is written",
	} {
		if _, err := readURLRules(text, -1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := readURLRules("# nothing\n\n", -1); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("rules that cannot be read are taken into the program")
		}
	}()
	mustReadURLRules("nonsense")
}

// Without any rule the standards hold, and nothing else.
func TestNoURLRules(t *testing.T) {
	none := &urlRules{}
	for raw, want := range map[string]string{
		"http://WWW.Example.org:80/a/../%62?utm_source=x&b=1#c": "https://www.example.org/b?b=1&utm_source=x",
		"https://example.org/a;jsessionid=1/amp":                "https://example.org/a;jsessionid=1/amp",
	} {
		if got, err := none.canonical(raw); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", raw, got, err, want)
		}
	}
}

// What the rules may not do: leave the sites they speak of, wrap for ever, or
// make a host of what is none.
func TestURLRulesAreBounded(t *testing.T) {
	for raw, want := range map[string]string{
		"https://google.com/url?q=javascript:alert(1)":                        "https://google.com/url?q=javascript:alert(1)",
		"https://google.com/url?q=https://localhost/a":                        "https://google.com/url?q=https://localhost/a",
		"https://google.com/url?q=https%3A%2F%2Fexample%2Eorg%2F&q=x":         "https://example.org/",
		"https://google.com:8443/url?q=https://example.org/":                  "https://google.com:8443/url?q=https://example.org/",
		"https://evilgoogle.com/url?q=https://example.org/":                   "https://evilgoogle.com/url?q=https://example.org/",
		"https://google.com.evil.example/url?q=https://a.org/":                "https://google.com.evil.example/url?q=https://a.org/",
		"https://open.substack.com/pub/a%20b/p/c":                             "https://open.substack.com/pub/a%20b/p/c",
		"https://open.substack.com/pub/a.b@c/p/d":                             "https://open.substack.com/pub/a.b@c/p/d",
		"https://youtube.com/watch?list=x":                                    "https://youtube.com/watch?list=x",
		"https://youtu.be/short":                                              "https://youtu.be/short",
		"https://youtu.be/abcdefghijk/more":                                   "https://youtu.be/abcdefghijk/more",
		"https://youtu.be/abcdefghijk/":                                       "https://youtube.com/watch?v=abcdefghijk",
		"https://www.bbc.co.uk/news/":                                         "https://bbc.co.uk/news/",
		"https://l.facebook.com/l.php?u=https://l.facebook.com/l.php?u=x":     "https://l.facebook.com/l.php?u=x",
		"https://x-y.cdn.ampproject.org/c/s/localhost/a":                      "https://x-y.cdn.ampproject.org/c/s/localhost/a",
		"https://cdn.ampproject.org/c/s/google.com/url?q=http://m.x.org/amp/": "https://x.org/amp/",
	} {
		if got, err := CanonicalURL(raw); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", raw, got, err, want)
		}
	}
	wrapped := "https://example.org/a"
	for range maxWraps {
		wrapped = "https://google.com/url?q=" + strings.NewReplacer("%", "%25", "&", "%26").Replace(wrapped)
	}
	if got, err := CanonicalURL(wrapped); err == nil {
		t.Errorf("wrapped %d times: %q", maxWraps, got)
	}
}
