package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
)

// jsonStart returns where the JSON object of a document starts, -1 when the
// document is none: behind white space, what servers put against script
// inclusion, a callback's name, or something that got in front of it.
func jsonStart(text []byte) int {
	head := bytes.TrimLeft(text, " \t\r\n")
	if len(head) > 0 && head[0] == '{' {
		return len(text) - len(head)
	}
	brace := bytes.IndexByte(text[:min(len(text), 64<<10)], '{')
	if brace < 0 || !bytes.Contains(text[brace:], []byte("items")) {
		return -1
	}
	for _, root := range []string{"<rss", "<feed", "<rdf", "<RDF", ":RDF", "<channel", "<item", "<entry"} {
		if bytes.Contains(text[:brace], []byte(root)) {
			return -1
		}
	}
	if at, _ := skipBlank(text, brace+1); keyAt(text, at) > 0 {
		return brace
	}
	return -1
}

// readJSONDocument reads a JSON Feed document that starts at from: a sound one as it is,
// a damaged one after repair.
func readJSONDocument(ctx context.Context, text []byte, from int, limits Limits, n *notes) (*rawFeed, error) {
	n.enter(StageScan)
	doc := bytes.TrimSpace(text[from:])
	if from > len(text)-len(bytes.TrimLeft(text, " \t\r\n")) {
		n.mend(WarnLeadingJunk, "something that is no feed stands before the feed; it was left out")
	}
	if !json.Valid(doc) {
		n.add(WarnMalformed, "the document is not well formed (line %d)", jsonErrorLine(text, from))
		n.enter(StageRepair)
		mended, err := repairJSON(text, from, n)
		if err != nil {
			return nil, err
		}
		doc = mended
	} else if err := jsonDepth(doc); err != nil {
		return nil, err
	}
	n.enter(StageParse)
	raw, err := parseJSON(ctx, doc, limits, n)
	if err != nil {
		return nil, err
	}
	dropCutItem(raw, n)
	return raw, nil
}

// jsonErrorLine returns the line of the first thing that is not JSON.
func jsonErrorLine(text []byte, from int) int {
	var syntax *json.SyntaxError
	end := len(text)
	if err := json.Unmarshal(text[from:], new(json.RawMessage)); errors.As(err, &syntax) {
		end = min(from+int(syntax.Offset), len(text))
	}
	return 1 + bytes.Count(text[:end], []byte("\n"))
}

// jsonDepth refuses a document that is nested deeper than any feed.
func jsonDepth(doc []byte) error {
	depth := 0
	for i := 0; i < len(doc); i++ {
		switch doc[i] {
		case '"':
			for i++; doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return tooDeep()
			}
		case '}', ']':
			depth--
		}
	}
	return nil
}

func tooDeep() error { return invalid("the document is nested deeper than %d elements", maxDepth) }
