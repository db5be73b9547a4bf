package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const testFeed = `<rss version="2.0"><channel><title>%s</title><link>/</link>
<item><title>One & only</title><link>/1</link><guid>g1</guid><pubDate>Sun, 01 Mar 2026 12:00:00 GMT</pubDate></item>
<item><title>Two</title><link>/2</link><guid>g2</guid></item></channel></rss>`

// newSite serves a page with two feeds, one of comments, and a feed that wants
// a password.
func newSite(t *testing.T) *httptest.Server {
	t.Helper()
	feed := func(title string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/rss+xml")
			fmt.Fprintf(w, testFeed, title)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><title>The site</title>
			<link rel="alternate" type="application/rss+xml" title="Comments" href="/comments/feed">
			<link rel="alternate" type="application/rss+xml" title="Posts" href="/feed">
			<link rel="alternate" type="application/atom+xml" title="Old" href="/missing">`)
	})
	mux.HandleFunc("/feed", feed("Posts"))
	mux.HandleFunc("/comments/feed", feed("Comments on posts"))
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/feed", http.StatusMovedPermanently)
	})
	mux.HandleFunc("/private", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ada" || password != "secret-password" || r.Header.Get("X-Key") != "secret-header" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		feed("Private")(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// golden compares what was printed with a text, in which the site, ids and
// times have names.
func golden(t *testing.T, site, printed, want string) {
	t.Helper()
	if site != "" {
		printed = strings.ReplaceAll(printed, site, "SITE")
	}
	printed = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}`).ReplaceAllString(printed, "ID")
	printed = regexp.MustCompile(`\d+(ms|µs|s)\b`).ReplaceAllString(printed, "TIME")
	printed = regexp.MustCompile(` {2,}`).ReplaceAllString(printed, "  ")
	if printed != want {
		t.Errorf("printed\n%s\nwant\n%s", printed, want)
	}
}

func TestSourceDiscovery(t *testing.T) {
	site := newSite(t)
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, "<p>nothing here")
	}))
	t.Cleanup(bare.Close)
	onEngines(t, func(s *shell) {
		s.environ = append(s.environ, "KGL_ALLOWED_NETWORKS=127.0.0.0/8", "KGL_HOST_DELAY=0s")
		s.want(0, line("migrate up"))
		golden(s.t, site.URL, s.want(0, line("source discover "+site.URL)).stdout, `URL  TITLE  FORMAT  ITEMS  NEWEST  FOUND BY  NOTE
SITE/feed  Posts  rss  2  2026-03-01  link  
SITE/comments/feed  Comments on posts  rss  2  2026-03-01  link  
SITE/missing  Old  0  link  the server answered 404
`)
		r := s.want(1, line("source add "+site.URL), "is a page and no feed", "--discover")
		if !strings.Contains(r.stdout, site.URL+"/feed") {
			s.t.Errorf("stdout: %s", r.stdout)
		}
		s.want(1, line("source add "+bare.URL), "offers no feed", "--no-check")
		s.want(1, line("source discover "+bare.URL), "no feed was found")
		s.want(1, line("source discover "+site.URL+"/none"), "no feed: the server answered 404")
		r = s.want(0, line("source add --discover "+site.URL), "added ", site.URL+"/feed")
		id := strings.Fields(r.stdout)[1]
		s.want(0, line("source discover "+site.URL), "watched already")
		s.want(1, line("source add --discover "+site.URL), "exists already")

		var found struct {
			Feeds []struct{ URL, SourceID string }
		}
		r = s.want(0, line("source discover --json "+site.URL+"/moved"))
		if err := json.Unmarshal([]byte(r.stdout), &found); err != nil || len(found.Feeds) != 1 || found.Feeds[0].URL != site.URL+"/feed" {
			s.t.Errorf("%v %s", err, r.stdout)
		}
		if !strings.Contains(r.stdout, `"source_id": "`+id) {
			s.t.Errorf("the source that watches it is not told: %s", r.stdout)
		}
	})
}

func TestSourceTest(t *testing.T) {
	site := newSite(t)
	s := newShell(t, "")
	s.environ = append(s.environ, "KGL_ALLOWED_NETWORKS=127.0.0.0/8")
	s.want(0, line("migrate up"))
	moved := s.want(0, line("source test "+site.URL+"/moved")).stdout
	moved = regexp.MustCompile(`(?m)^(\s+reference: |next fetch +).*$`).ReplaceAllString(moved, "$1...") // the words of others
	golden(t, site.URL, moved, `url  SITE/moved
redirect  301 to SITE/feed
answer  200, application/rss+xml, 257 bytes, TIME
feed  rss 2.0, Posts
items  2 (0 skipped)
decode  as it is
scan  mended
  reference: ...
parse  as it is
normalise  as it is
next fetch  ...

2026-03-01 12:00  One & only  SITE/1
no date  Two  SITE/2
`)
	s.want(1, line("source test "+site.URL+"/none"), "no feed: the server answered 404")
	s.want(1, line("source test "+site.URL+"/private"), "no feed: the server answered 401")
	headers := filepath.Join(s.dir, "headers")
	if err := os.WriteFile(headers, []byte("X-Key: secret-header\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.stdin = "secret-password\n"
	var preview struct {
		Feed struct{ Items []struct{ Title string } }
	}
	r := s.want(0, line("source test --json --user ada --header-file "+headers+" "+site.URL+"/private"))
	if err := json.Unmarshal([]byte(r.stdout), &preview); err != nil || len(preview.Feed.Items) != 2 {
		t.Errorf("%v %s", err, r.stdout)
	}
	r = s.want(0, line("source add --user ada --header-file "+headers+" "+site.URL+"/private"), "added ")
	if r.stderr != "" {
		t.Errorf("stderr: %s", r.stderr)
	}
	for _, command := range []string{"source list", "source export", "audit verify"} {
		if r := s.run(line(command)...); strings.Contains(r.stdout+r.stderr, "secret-") || r.code != 0 {
			t.Errorf("kgl %s: %d %s%s", command, r.code, r.stdout, r.stderr)
		}
	}
}

func TestSourceImportReport(t *testing.T) {
	onEngines(t, func(s *shell) {
		s.want(0, line("migrate up"))
		s.stdin = "<opml><body>\n<outline text='Folder'>\n<outline text='A' xmlUrl='https://a.example/f'/>\n" +
			"<outline text='A again' xmlUrl='http://www.a.example/f'/>\n<outline text='Bad' xmlUrl='ftp://me:word@b.example/'/></outline></body></opml>"
		want := func(added, id string) {
			s.t.Helper()
			r := s.want(0, line("source import - --tag x --report - "+added))
			report, _, _ := strings.Cut(r.stdout, "added ")
			report, _, _ = strings.Cut(report, "would add")
			rows, err := csv.NewReader(strings.NewReader(report)).ReadAll()
			if err != nil || len(rows) != 4 {
				s.t.Fatalf("%v %v", err, rows)
			}
			golden(s.t, "", fmt.Sprint(rows[1:]), `[[3 added https://a.example/f A`+id+`  ] [4 existing http://www.a.example/f A again`+id+
				`  the same feed stands in line 3] [5 failed ftp://b.example/ Bad  invalid_request the outline has no URL of http or https]]`)
		}
		want("--dry-run", "")
		if r := s.want(0, line("source list")); strings.Contains(r.stdout, "a.example") {
			s.t.Errorf("a dry run added something: %s", r.stdout)
		}
		want("", " ID")
		s.want(0, line("source tags"), "folder  1", "x       1")
		s.stdin = "<opml><body><outline text='Bad' type='rss'/></body></opml>"
		s.want(1, line("source import -"), "none of the feeds can be watched")
		s.want(1, line("source import - --tag "+strings.Repeat("x", 41)), "tags")
		file := filepath.Join(s.dir, "report.csv")
		s.stdin = "<opml><body><outline xmlUrl='https://c.example/'/></body></opml>"
		s.want(0, line("source import - --report "+file), "added 1 of 1 feeds")
		if body, err := os.ReadFile(file); err != nil || !strings.Contains(string(body), "1,added,https://c.example/,") {
			s.t.Errorf("%v %s", err, body)
		}
	})
}

func TestSourceEdit(t *testing.T) {
	onEngines(t, func(s *shell) {
		s.want(0, line("migrate up"))
		ids := map[string]string{}
		for _, name := range []string{"a", "b", "c"} {
			r := s.want(0, line("source add --no-check https://"+name+".example/ --tag grant,"+name), "added ")
			ids[name] = strings.Fields(r.stdout)[1]
		}
		s.want(2, line("source edit --pause"), "which sources")
		s.want(2, line("source edit --all --tag x --pause --resume"), "exclude")
		s.want(2, line("source edit --health fine --pause"), "fine")
		s.want(2, line("source edit "+ids["a"]+" --tag x --pause"), "exclude")
		s.want(1, line("source edit --all"), "nothing to do")
		s.want(0, line("source edit --tag grant --add-tag grants --remove-tag grant --dry-run"), "would change 3 of 3 sources")
		s.want(0, line("source edit --tag grant --add-tag grants --remove-tag grant"), "changed 3 of 3 sources")
		golden(s.t, "", s.want(0, line("source tags")).stdout, "TAG  SOURCES\na  1\nb  1\nc  1\ngrants  3\n")
		s.want(0, line("source pause "+ids["a"]+" "+ids["b"]), "changed 2 of 2 sources")
		s.want(0, line("source edit --all --refresh"), "changed 1 of 3 sources")
		s.want(1, line("source edit --status paused --refresh"), "no source could be changed", "is paused and is not fetched")
		s.want(0, line("source resume --status paused"), "changed 2 of 2 sources")
		s.want(0, line("source edit --all --interval 2h --max-items 50 --set-tag one"), "changed 3 of 3 sources")
		s.want(1, line("source edit --all --interval 1s"), "no source could be changed", "fetch_interval_seconds")
		s.want(0, line("source edit --host b.example --delete"), "changed 1 of 1 sources")
		r := s.want(0, line("source list --health pending --tag one"), ids["a"], ids["c"], "pending")
		if strings.Contains(r.stdout, ids["b"]) {
			s.t.Errorf("a deleted source is listed: %s", r.stdout)
		}
		s.want(0, line("audit verify"), "audit log is intact")
	})
}
