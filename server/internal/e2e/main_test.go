package e2e

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
)

func TestMain(m *testing.M) {
	// The validator of answers does not know these by itself.
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/xml", openapi3filter.PlainBodyDecoder)
	code := m.Run()
	if err := binary.remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// eachEngine runs a test on SQLite and on Postgres, side by side.
func eachEngine(t *testing.T, run func(t *testing.T, engine string)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			run(t, engine)
		})
	}
}

// shared are the tests that need no server of their own. They run one after
// the other on one server for each engine, so each works on what it made itself.
var shared = []struct {
	name string
	run  func(t *testing.T, b *backend)
}{
	{"operations", testOperations},
	{"documented answers", testDocumentedAnswers},
	{"changes of the graph", testGraphChanges},
	{"conflicts", testConflicts},
	{"permissions", testPermissions},
	{"tokens with one scope missing", testScopes},
	{"open operations", testOpenOperations},
	{"bad tokens", testBadTokens},
	{"token endpoint", testTokenEndpoint},
	{"key set", testKeySet},
	{"logins that fail", testFailedLogins},
	{"throttles", testThrottles},
	{"logout", testLogout},
	{"source conditions", testSourceConditions},
	{"source changes", testSourceChanges},
	{"new site", testNewSite},
	{"discovery", testDiscovery},
	{"trial of a feed", testTrial},
	{"trial of no feed", testTrialFails},
	{"import", testImport},
	{"import that is meant once", testImportOnce},
	{"export", testExport},
	{"tags and bulk edits", testBulk},
	{"credentials of a source", testKeptCredentials},
	{"retention and health of a source", testSourceHealth},
	{"idempotency", testIdempotency},
	{"concurrent idempotency", testConcurrentIdempotency},
	{"concurrent changes", testConcurrentChanges},
	{"pages", testPages},
	{"foreign cursors", testForeignCursors},
	{"filters of content", testContentFilters},
	{"filters of entities", testEntityFilters},
	{"naughty strings", testNaughtyStrings},
	{"mass assignment", testMassAssignment},
	{"odd JSON", testOddJSON},
	{"methods and paths", testMethodsAndPaths},
	{"headers", testHeaders},
	{"cross-origin requests", testCORS},
	{"HEAD and OPTIONS", testHeadAndOptions},
	{"refused URLs", testRefusedURLs},
	{"feed not modified", testFeedNotModified},
	{"feed edited", testFeedEdited},
	{"feed failing", testFeedFailing},
	{"feed gone", testFeedGone},
	{"feed broken in part", testFeedBrokenInPart},
	{"feed hanging", testFeedHanging},
	{"duplicates", testDuplicates},
	{"deleted content", testDeletedContent},
	{"refresh", testRefresh},
	{"enrichment", testEnrichment},
	{"extractions", testExtractions},
	{"extraction runs", testExtractionRuns},
	{"consents", testConsents},
	{"work", testWork},
	{"merges", testMerges},
	{"rejections", testRejections},
	{"edits of relationships", testRelationshipEdits},
	{"dashboard", testDashboard},
	{"metrics", testMetrics},
	{"audit rows", testAuditRows},
	{"audit of refusals", testAuditOfRefusals},
}

// TestAPI runs the shared tests, and then looks at all of them together: every
// documented answer was seen, no secret got into the log, and the audit log is
// intact.
func TestAPI(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		in := newInstallation(t, engine)
		b := in.start(t)
		for _, test := range shared {
			t.Run(test.name, func(t *testing.T) { test.run(t, b) })
		}
		t.Run("log", func(t *testing.T) { in.checkLog(t) })
		t.Run("audit chain", func(t *testing.T) { in.checkAuditChain(t) })
		t.Run("coverage", func(t *testing.T) {
			if strings.Count(flag.Lookup("test.run").Value.String(), "/") > 1 {
				t.Skip("only some of the tests ran")
			}
			b.seen.check(t)
		})
	})
}
