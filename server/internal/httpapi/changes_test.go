package httpapi

import (
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestOrderOfChanges(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("east", 3600))
	for _, tc := range []struct {
		name  string
		after *time.Time
		sort  api.ListContentParamsSort
		want  kgl.ContentSort // empty: refused
	}{
		{"nothing asked", nil, "", kgl.ContentNewestFirst},
		{"an order alone", nil, api.ListContentParamsSortMinusChangedAt, kgl.ContentLastChanged},
		{"changes", &at, "", kgl.ContentByChange},
		{"changes, in their order", &at, api.ListContentParamsSortChangedAt, kgl.ContentByChange},
		{"changes, newest first", &at, api.ListContentParamsSortMinusChangedAt, kgl.ContentLastChanged},
		{"changes by publication", &at, api.ListContentParamsSortPublishedAt, ""},
		{"changes by publication, newest first", &at, api.ListContentParamsSortMinusPublishedAt, ""},
	} {
		var sort *api.ListContentParamsSort
		if tc.sort != "" {
			sort = &tc.sort
		}
		after, have, err := changesOf(tc.after, sort)
		if tc.want == "" {
			if e, ok := err.(*kgl.Error); !ok || e.Code != kgl.CodeInvalid || len(e.Fields) != 1 || e.Fields[0].Field != "sort" {
				t.Errorf("%s: error %v, want one about sort", tc.name, err)
			}
			continue
		}
		if err != nil || have != tc.want {
			t.Errorf("%s: %s, %v, want %s", tc.name, have, err, tc.want)
		}
		if tc.after != nil && !after.Equal(at.Truncate(time.Microsecond)) {
			t.Errorf("%s: after %v", tc.name, after)
		}
	}
}
