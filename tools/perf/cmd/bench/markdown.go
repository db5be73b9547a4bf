package main

import (
	"fmt"
	"strings"
)

// The aims, as docs/performance.md states them.
const (
	aimRatio   = 1.6     // of a list of 20 and of get, to the reference
	aimGrowth  = 1.3     // of a list at 100,000 items, to 30,000
	aimP95     = 20.0    // ms
	mustP95    = 200.0   // ms
	aimItems   = 100_000 // up to which latencies have an aim
	aimMemory  = 100.0   // MB
	quietCores = 0.1     // of others and of the hypervisor, up to which a figure counts
)

// markdown writes the tables.
func (r *Report) markdown() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "Measured %s at commit %s (`%s`, %.0f minutes) on %s, %d cores, %d GB, Linux %s, %s", r.Started.Format("2006-01-02 15:04 UTC"), r.Commit,
		r.Set, r.TookSeconds/60, m.CPU, m.Cores, m.MemoryGB, m.Kernel, m.Go)
	if m.Postgres != "" {
		fmt.Fprintf(&b, ", Postgres %s", m.Postgres)
	}
	b.WriteString(".\n")
	for _, section := range []func(*strings.Builder){r.ratioTable, r.latencyTable, r.growthTable, r.ingestTable, r.graphTable, r.memoryTable, r.fillTable} {
		section(&b)
	}
	return b.String()
}

// table writes a heading and a table; no row: nothing.
func table(b *strings.Builder, heading string, columns []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n| %s |\n|%s\n", heading, strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}

func (s Spread) text(format string) string {
	return fmt.Sprintf(format+" ("+format+" to "+format+")", s.Median, s.Least, s.Most)
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**missed**"
}

func (n Noise) text() string { return fmt.Sprintf("%.2f / %.2f", n.Others, n.Stolen) }

// thousands writes 1000000 as 1,000,000.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func (r *Report) ratioTable(b *strings.Builder) {
	var rows [][]string
	for _, v := range r.Ratios {
		share := ""
		if v.PostgresShare != nil {
			share = fmt.Sprintf("%.0f %%", *v.PostgresShare*100)
		}
		rows = append(rows, []string{v.Engine, v.Kind, v.Service.text("%.0f"), fmt.Sprintf("%.0f", v.Reference.Median), fmt.Sprintf("%.0f", v.Remembering.Median),
			v.ToReference.text("%.2f"), v.ToRemembering.text("%.2f"), share, verdict(v.ToReference.Median <= aimRatio), v.Noise.text()})
	}
	items := 0
	if len(r.Ratios) > 0 {
		items = r.Ratios[0].Items
	}
	table(b, fmt.Sprintf("CPU per request beside the reference (us, %s items)", thousands(items)), []string{"engine", "request", "service", "reference",
		"reference that remembers tokens", "ratio", "ratio to the latter", "Postgres's share", fmt.Sprintf("at most %.1f", aimRatio), "others / stolen cores"}, rows)
}

func (r *Report) latencyTable(b *strings.Builder) {
	var rows, kindRows [][]string
	for _, v := range r.Latencies {
		l := v.Result.Latency
		state := verdict(l.P95 < aimP95)
		switch {
		case v.Items > aimItems:
			state = "no aim"
		case l.P95 >= mustP95 || v.Result.Errors > 0:
			state = "**fails the requirement**"
		}
		if v.Noise.Others+v.Noise.Stolen > quietCores {
			state += " (busy machine)"
		}
		rows = append(rows, []string{v.Engine, thousands(v.Items), fmt.Sprintf("%.0f", v.Result.Throughput), fmt.Sprint(v.Result.Errors), ms(l.P50), ms(l.P95), ms(l.P99), ms(v.Result.Service.P95), ms(v.Result.Late.P99),
			fmt.Sprintf("%.2f", v.CPU), fmt.Sprintf("%.2f", v.DBCPU), state, v.Noise.text()})
		for _, k := range v.Result.Kinds {
			if k.Requests > 0 && v.Items >= 100_000 {
				kindRows = append(kindRows, []string{v.Engine, thousands(v.Items), k.Name, fmt.Sprint(k.Requests), ms(k.P50), ms(k.P95), ms(k.P99)})
			}
		}
	}
	table(b, fmt.Sprintf("Latency of the mix of reads, %d requests a second over %d connections (ms)", openRate, openConns), []string{"engine", "items", "served/s", "failed", "p50",
		"p95", "p99", "service p95", "late p99", "service cores", "Postgres cores", fmt.Sprintf("p95 under %.0f", aimP95), "others / stolen cores"}, rows)
	table(b, "The same by request, in that mix (ms)", []string{"engine", "items", "request", "requests", "p50", "p95", "p99"}, kindRows)
}

func ms(v float64) string { return fmt.Sprintf("%.1f", v) }

func (r *Report) growthTable(b *strings.Builder) {
	if len(r.Growths) == 0 {
		return
	}
	columns := []string{"engine", "work"}
	for _, items := range r.Growths[0].Items {
		columns = append(columns, thousands(items))
	}
	columns = append(columns, "100,000 to 30,000", fmt.Sprintf("lists at most %.1f", aimGrowth), "others / stolen cores")
	var rows [][]string
	for _, g := range r.Growths {
		row := []string{g.Engine, g.Kind}
		for _, us := range g.US {
			row = append(row, fmt.Sprintf("%.0f", us.Median))
		}
		ratio, state := "", ""
		if g.To30k != nil {
			ratio = g.To30k.text("%.2f")
			if strings.HasPrefix(g.Kind, "list20") {
				state = verdict(g.To30k.Median <= aimGrowth)
			}
		}
		rows = append(rows, append(row, ratio, state, g.Noise.text()))
	}
	table(b, "How cost grows with the number of items (CPU us a request, or a new item)", columns, rows)
}

func (r *Report) memoryTable(b *strings.Builder) {
	var rows [][]string
	add := func(engine, when string, m Memory, aim float64) {
		state := fmt.Sprintf("under %.0f: %s", aim, verdict(m.Peak < aim))
		if m.Peak >= mustPeak {
			state = "**fails the requirement**"
		}
		rows = append(rows, []string{engine, when, fmt.Sprintf("%.0f", m.Now), fmt.Sprintf("%.0f", m.Peak), state})
	}
	for _, v := range r.Latencies {
		add(v.Engine, fmt.Sprintf("started on %s items, one login", thousands(v.Items)), v.Idle, aimMemory)
		add(v.Engine, fmt.Sprintf("after %d reads a second on %s items", openRate, thousands(v.Items)), v.Memory, aimMemory)
	}
	r.ingestMemory(add)
	table(b, "Memory of the process (MB)", []string{"engine", "when", "resident", "peak since the start", "peak"}, rows)
}

func (r *Report) fillTable(b *strings.Builder) {
	var rows [][]string
	for _, f := range r.Fills {
		rows = append(rows, []string{f.Engine, thousands(f.Items), fmt.Sprintf("%.0f", f.Seconds), fmt.Sprintf("%.0f", float64(f.Items)/f.Seconds), fmt.Sprintf("%.0f", f.MB)})
	}
	table(b, "The filled databases", []string{"engine", "items", "s to fill", "items/s", "MB"}, rows)
}
