package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// The bounds of ingestion, each CPU microseconds for one item of documents like
// the farm's in one process on one core, and nothing else done.
const (
	boundParse    = "parse + sanitise"
	boundPlain    = "parse + sanitise + insert"
	boundFullText = "parse + sanitise + insert with a full-text index"
)

// boundBlocks are the blocks of the program limits that measure the bounds.
var boundBlocks = map[string]map[string]string{
	"sqlite": {
		"pipeline/parse+sanitise":                  boundParse,
		"pipeline/parse+sanitise+sqlite-full-sync": boundPlain,
		"pipeline/parse+sanitise+sqlite-fts5":      boundFullText,
	},
	"postgres": {
		"pipeline/parse+sanitise":            boundParse,
		"pipeline/parse+sanitise+pg-plain":   boundPlain,
		"pipeline/parse+sanitise+pg-tsv-gin": boundFullText,
	},
}

// boundRounds are the microseconds of each bound, by round.
type boundRounds map[string][]float64

func (r boundRounds) text() string {
	text := ""
	for _, name := range []string{boundParse, boundPlain, boundFullText} {
		text += fmt.Sprintf("%.0f ", r[name][len(r[name])-1])
	}
	return text
}

// measureBounds measures each bound of an engine once.
func (b *bench) measureBounds(ctx context.Context, engine string, rounds *boundRounds) error {
	args := []string{"-rounds", "1", "-each", b.lasting(3*time.Second, 5*time.Second).String(), "-dir", b.work}
	if engine == "postgres" {
		databaseURL, err := b.database(ctx, engine, "limits")
		if err != nil {
			return err
		}
		args = append(args, "-pg", databaseURL, "-pgpid", strconv.Itoa(b.postmaster))
	}
	only := ""
	for block := range boundBlocks[engine] {
		only += "," + block
	}
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "limits"), append(args, "-only", only[1:])...)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	if *rounds == nil {
		*rounds = boundRounds{}
	}
	found := 0
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; found++ {
		var block struct {
			Name string `json:"block"`
			US   Spread `json:"cpu_us_per_unit"`
		}
		if err := decoder.Decode(&block); err == io.EOF {
			break
		} else if err != nil {
			return fmt.Errorf("limits: %w: %s", err, out)
		}
		name := boundBlocks[engine][block.Name]
		(*rounds)[name] = append((*rounds)[name], block.US.Median)
	}
	if found != len(boundBlocks[engine]) {
		return fmt.Errorf("limits measured %d blocks, want %d", found, len(boundBlocks[engine]))
	}
	return nil
}
