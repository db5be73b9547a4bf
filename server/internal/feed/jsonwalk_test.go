package feed

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzJSONWalk checks that walking over valid JSON finds what encoding/json
// finds, and that nothing else makes it panic.
func FuzzJSONWalk(f *testing.F) {
	for _, s := range []string{
		`{"a":1,"b":"x\"y\\","c":[1,"]",{"}":null}],"d":{"e":[]} , "f" : true}`, ` { } `, `{"a":"\u00e9\ud83d\ude80\ud83dx\udc00\/\b\f\n\r\t"}`, `[1, 2.5e3 ,"x",[],{}, null]`, `[]`, `"x"`, `{"a":1,"a":2}`,
		`{"a"`, `{"a":`, `{"a":[`, `[`, `[1`, `{,}`, `[,]`, `{"\`, `{"a":"\u12`, `{"\\":"\\\\"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		members := map[string][]byte{}
		err := jsonMembers(src, func(key string, value []byte) error { members[key] = value; return nil })
		var list [][]byte
		listErr := jsonElements(src, func(value []byte) error { list = append(list, value); return nil })
		if !json.Valid(src) || !utf8.Valid(src) {
			return
		}
		var want map[string]json.RawMessage
		if isObject := bytes.HasPrefix(bytes.TrimSpace(src), []byte("{")); isObject != (err == nil) {
			t.Fatalf("%q: %v", src, err)
		} else if isObject {
			if err := json.Unmarshal(src, &want); err != nil || len(want) != len(members) {
				t.Fatalf("%q: %d members, want %d, %v", src, len(members), len(want), err)
			}
		}
		for key, value := range want {
			if !bytes.Equal(members[key], value) {
				t.Fatalf("%q: member %q is %q, want %q", src, key, members[key], value)
			}
			var text string
			if json.Unmarshal(value, &text) == nil && value[0] == '"' && jsonUnquote(members[key]) != text {
				t.Fatalf("%q is read as %q", value, jsonUnquote(members[key]))
			}
		}
		var wantList []json.RawMessage
		if isList := bytes.HasPrefix(bytes.TrimSpace(src), []byte("[")); isList != (listErr == nil) {
			t.Fatalf("%q: %v", src, listErr)
		} else if isList {
			if err := json.Unmarshal(src, &wantList); err != nil || len(wantList) != len(list) {
				t.Fatalf("%q: %d elements, want %d", src, len(list), len(wantList))
			}
		}
		for i := range wantList {
			if !bytes.Equal(list[i], wantList[i]) {
				t.Fatalf("%q: element %d is %q, want %q", src, i, list[i], wantList[i])
			}
		}
	})
}
