package feed

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestRepairJSON(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"sound", `{"a":"b","c":[1,-2.5e3,true,null,{}],"d":{}}`, `{"a":"b","c":[1,-2.5e3,true,null,{}],"d":{}}`},
		{"trailing commas", `{"a":[1,2,],}`, `{"a":[1,2]}`},
		{"missing commas", "{\"a\":\"b\"\n\"c\":[1 \"2\"]}", `{"a":"b","c":[1,"2"]}`},
		{"single quotes, no quotes", `{'a':'it\'s',b:c, $d : 1}`, `{"a":"it's","b":"c","$d":1}`},
		{"comments", "{/* x */\"a\":1, // y\n\"b\":2 # z\n}", `{"a":1,"b":2}`},
		{"words", `{"a":None,"b":True,"c":NaN,"d":.5,"e":0x1F,"f":+1,"g":01}`, `{"a":null,"b":true,"c":null,"d":".5","e":"0x1F","f":"+1","g":"01"}`},
		{"escapes", `{"a":"\x41\q\'\u12 \/\n"}`, `{"a":"\u0041\\q'\\u12 \/\n"}`},
		{"line breaks", "{\"a\":\"b\nc\td\"}", `{"a":"b\nc d"}`},
		{"quotes in a text", `{"a":"say "yes" now","b":"x"}`, `{"a":"say \"yes\" now","b":"x"}`},
		{"quote lost", `{"a":"b, "c":"d"}`, `{"a":"b","c":"d"}`},
		{"colon lost", `{"a" "b","c" {"d":1}}`, `{"a":"b","c":{"d":1}}`},
		{"bracket for brace", `{"items":[{"id":"1"],{"id":"2"}]}`, `{"items":[{"id":"1"},{"id":"2"}]}`},
		{"brace lost", `{"items":[{"id":"1",{"id":"2"}]}`, `{"items":[{"id":"1"},{"id":"2"}]}`},
		{"opening brace lost", `{"items":[{"id":"1"},"id":"2"}]}`, `{"items":[{"id":"1"},{"id":"2"}]}`},
		{"brace doubled", `{"items":[{"id":"1"}},{"id":"2"}}]}`, `{"items":[{"id":"1"},{"id":"2"}]}`},
		{"border lost", `{"items":[{"id":"1","title":"x","id":"2"}]}`, `{"items":[{"id":"1","title":"x"},{"id":"2"}]}`},
		{"cut in a text", `{"items":[{"id":"1","title":"x y`, `{"items":[{"id":"1","title":"x y"}]}`},
		{"cut in an id", `{"items":[{"id":"1"},{"id":"12`, `{"items":[{"id":"1"},{}]}`},
		{"cut in a key", `{"items":[{"id":"1","tit`, `{"items":[{"id":"1"}]}`},
	} {
		got, err := repairJSON([]byte(c.src), 0, &notes{})
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v\nwant %s", c.name, got, err, c.want)
		}
	}
	if _, err := repairJSON([]byte(strings.Repeat(`{"a":`, 300)), 0, &notes{}); !kgl.Is(err, kgl.CodeFeedInvalid) {
		t.Errorf("nesting: error %v", err)
	}
}

// TestJSONWithNextLine: U+0085 may stand in a string of JSON as it is.
func TestJSONWithNextLine(t *testing.T) {
	doc, err := Parse(t.Context(), []byte(`{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[{"id":"1","content_text":"one`+"\u0085"+`two"}]}`), Options{})
	if err != nil || len(doc.Items) != 1 {
		t.Fatalf("%+v, %v", doc, err)
	}
	checkEqual(t, "text", doc.Items[0].ContentText, "one two")
	if have := codes(doc.Warnings); strings.Contains(have, string(WarnMalformed)) || !strings.Contains(have, string(WarnControlChars)) {
		t.Errorf("warnings are %s", have)
	}
}

func TestJSONStart(t *testing.T) {
	for doc, want := range map[string]int{
		` {"items":[]}`:                         1,
		`callback({"items":[]})`:                9,
		"HTTP/1.1 200 OK\r\n\r\n{\"items\":[]}": 19,
		`<b>Warning</b> {"items":[]}`:           15,
		`<rss><item>{"items":[]}</item></rss>`:  -1,
		`<html>{ margin: 0 }</html>`:            -1,
		`[1,2]`:                                 -1,
		``:                                      -1,
	} {
		checkEqual(t, doc, jsonStart([]byte(doc)), want)
	}
}

// FuzzRepairJSON checks that whatever is repaired is valid JSON, and that valid
// JSON keeps its value.
func FuzzRepairJSON(f *testing.F) {
	f.Add(fixture(f, "feed.json"))
	f.Add(fixture(f, "feed-de.json"))
	for _, d := range jsonDamages() {
		f.Add([]byte(`{"items":[{"id":"1","title":"` + d.name + `",}]`))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		text, err := decode(body, "", 1<<16, &notes{})
		if err != nil {
			return
		}
		from := jsonStart(text)
		if from < 0 {
			return
		}
		mended, err := repairJSON(text, from, &notes{})
		if err != nil {
			if !kgl.Is(err, kgl.CodeFeedInvalid) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if !json.Valid(mended) {
			t.Fatalf("repaired\n%q\nto\n%q", text, mended)
		}
	})
}
