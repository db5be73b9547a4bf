package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// listPlan is a list with filters and the plan that it needs.
type listPlan struct {
	name  string
	query store.ListQuery
	index string // that the plan names; empty: a unique one that the engine named
	sorts bool   // the filter's index serves, and its rows are sorted
}

func listPlans(e store.Engine) []listPlan {
	after := func(v kgl.Position) kgl.Page { return kgl.Page{Limit: 20, After: &v} }
	text, number := after(kgl.Position{Text: "n", ID: "i"}), after(kgl.Position{Number: 0.5, ID: "i"})
	moment := after(kgl.Position{Int: 5, ID: "i"})
	users := func(f kgl.UserFilter) store.ListQuery { return store.UsersQuery(e, f, moment) }
	audit := func(f kgl.AuditFilter) store.ListQuery { return store.AuditQuery(e, f, moment) }
	edges := func(f kgl.RelationshipFilter) store.ListQuery {
		return store.RelationshipsQuery(e, f, kgl.RelationshipNewestFirst, moment)
	}
	entities := func(f kgl.EntityFilter, sort kgl.EntitySort, p kgl.Page) store.ListQuery {
		return store.EntitiesQuery(e, f, sort, p)
	}
	all, typed := kgl.EntityFilter{}, kgl.EntityFilter{Types: []string{"a"}}
	return []listPlan{
		{"users", users(kgl.UserFilter{}), "users_created", false},
		{"users by role", users(kgl.UserFilter{Role: kgl.RoleAdmin}), "users_role", false},
		{"users by status", users(kgl.UserFilter{Status: kgl.UserActive}), "users_status", false},
		{"users by email", store.UsersQuery(e, kgl.UserFilter{EmailPrefix: "a"}, kgl.Page{}), "", true},
		{"audit", audit(kgl.AuditFilter{}), "", false},
		{"audit by actor", audit(kgl.AuditFilter{ActorID: "a"}), "audit_events_actor", false},
		{"audit by action", audit(kgl.AuditFilter{Action: "a"}), "audit_events_action", false},
		{"audit by outcome", audit(kgl.AuditFilter{Outcome: kgl.AuditRefused}), "audit_events_outcome", false},
		{"audit of a subject", audit(kgl.AuditFilter{SubjectType: "user", SubjectID: "a"}), "audit_events_subject", false},
		{"entities by name", entities(all, kgl.EntityByName, text), "entities_name", false},
		{"entities by confidence", entities(all, kgl.EntityMostConfident, number), "entities_confidence", false},
		{"entities by time", entities(all, kgl.EntityNewestFirst, moment), "entities_created", false},
		{"entities of a type by name", entities(typed, kgl.EntityByName, text), "", false},
		{"entities of a type by confidence", entities(typed, kgl.EntityMostConfident, number), "entities_type_confidence", false},
		{"entities of a type by time", entities(typed, kgl.EntityNewestFirst, moment), "entities_type_created", false},
		{"entities by prefix", entities(kgl.EntityFilter{NamePrefix: "a"}, kgl.EntityByName, text), "entities_name", false},
		{"entities by prefix of an alias", store.EntitiesByAlias(e, kgl.EntityFilter{NamePrefix: "a"}, kgl.EntityByName, text), "entity_aliases_key", true},
		{"entities by degree", entities(all, kgl.EntityMostConnected, moment), "entities_degree", false},
		{"entities of a type by degree", entities(typed, kgl.EntityMostConnected, moment), "entities_type_degree", false},
		{"entities by the last mention", entities(all, kgl.EntityLastSeenFirst, moment), "entities_seen", false},
		{"entities of a type by the last mention", entities(typed, kgl.EntityLastSeenFirst, moment), "entities_type_seen", false},
		{"entities seen since", entities(kgl.EntityFilter{SeenSince: new(time.Time)}, kgl.EntityLastSeenFirst, moment), "entities_seen", false},
		// Postgres decides by its statistics, which an empty database has not.
		{"rejected entities", entities(kgl.EntityFilter{Statuses: []kgl.EntityStatus{kgl.EntityRejected}}, kgl.EntityNewestFirst, moment),
			map[store.Engine]string{store.SQLite: "entities_inactive"}[e], true},
		{"names by prefix", store.NamesByPrefix(e, "a", nil), "entities_name", false},
		{"aliases by prefix", store.AliasesByPrefix(e, "a", nil), "entity_aliases_key", false},
		{"best connected by name", store.ConnectedByName(e, "a", nil), "entities_degree", false},
		{"best connected of a type by name", store.ConnectedByName(e, "a", []string{"t"}), "entities_type_degree", false},
		{"best connected by alias", store.ConnectedByAlias(e, "a", nil), "entities_degree", true},
		{"relationships", edges(kgl.RelationshipFilter{}), "relationships_created", false},
		{"relationships by type", edges(kgl.RelationshipFilter{Type: "a"}), "relationships_type", false},
		{"relationships from", edges(kgl.RelationshipFilter{FromEntityID: "a"}), "relationships_from", false},
		{"relationships to", edges(kgl.RelationshipFilter{ToEntityID: "a"}), "relationships_to", false},
	}
}

// TestListPlans reads the plan of each list with filters: each reads an index
// in the order of the list, or that of its filter, and none a whole table.
func TestListPlans(t *testing.T) {
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			for _, tc := range listPlans(db.Engine()) {
				t.Run(tc.name, func(t *testing.T) { checkPlan(t, db, tc) })
			}
		})
	}
}

// TestSimilarNamesPlan reads the plans by which similar names are found.
func TestSimilarNamesPlan(t *testing.T) {
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			for _, types := range [][]string{nil, {"grant"}} {
				plan, err := db.ExplainSimilar(t.Context(), types)
				if err != nil {
					t.Fatal(err)
				}
				if index := map[store.Engine]string{store.SQLite: "USING PRIMARY KEY (gram=? AND size>? AND size<?)", store.Postgres: "entity_name_grams_pkey"}[db.Engine()]; !strings.Contains(plan, index) {
					t.Errorf("%s is not used:\n%s", index, plan)
				}
				if step := wholeTable(plan); step != "" && !strings.Contains(step, "VIRTUAL TABLE") {
					t.Errorf("a whole table is read (%s):\n%s", step, plan)
				}
			}
		})
	}
}

func checkPlan(t *testing.T, db *store.DB, tc listPlan) {
	plan, err := db.Explain(t.Context(), tc.query)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan, tc.index) {
		t.Errorf("the index %s is not used:\n%s", tc.index, plan)
	}
	if step := wholeTable(plan); step != "" {
		t.Errorf("a whole table is read (%s):\n%s", step, plan)
	}
	if !tc.sorts && (strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") || strings.Contains(plan, "Sort")) {
		t.Errorf("the rows are sorted:\n%s", plan)
	}
}

// wholeTable returns the step of a plan that reads a table without an index.
// What the statement made itself is no table.
func wholeTable(plan string) string {
	made := map[string]bool{}
	for line := range strings.Lines(plan) {
		if step, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && (step == "CO-ROUTINE" || step == "MATERIALIZE") {
			made[name] = true
		}
	}
	for line := range strings.Lines(plan) {
		line = strings.TrimSpace(line)
		name, scans := strings.CutPrefix(line, "SCAN ")
		if strings.Contains(line, "Seq Scan") || scans && !strings.Contains(line, "USING") && !made[name] {
			return line
		}
	}
	return ""
}
