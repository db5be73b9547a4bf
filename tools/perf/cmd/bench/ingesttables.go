package main

import (
	"fmt"
	"strings"
)

// The aims of ingestion.
const (
	aimShare     = 0.60 // of the bound with a full-text index, cold: its CPU to the service's
	aimUnchanged = 0.8  // CPU ms of a source that answers 304
	aimTenth     = 1.2  // times parsing and sanitising everything, when a tenth is new
	aimPeak      = 60.0 // MB
	mustPeak     = 200.0
	aimLinear    = 1.2 // cost of a source among the most sources to that among the fewest
	aimClaim     = 1.3 // cost of a claim among the most sources to that among the fewest
)

// perSecond returns rates from costs in microseconds.
func (s Spread) perSecond() Spread {
	return Spread{Median: 1e6 / s.Median, Least: 1e6 / s.Most, Most: 1e6 / s.Least}
}

// inverse turns a cost in bounds into a share of the bound.
func (s Spread) inverse() Spread {
	return Spread{Median: 1 / s.Median, Least: 1 / s.Most, Most: 1 / s.Least}
}

// by divides all three.
func (s Spread) by(d float64) Spread {
	return Spread{Median: s.Median / d, Least: s.Least / d, Most: s.Most / d}
}

func (r *Report) ingestTable(b *strings.Builder) {
	r.coldTable(b)
	r.againTable(b)
	r.passTable(b)
	r.claimTable(b)
}

// coldTable compares new items with the bounds.
func (r *Report) coldTable(b *strings.Builder) {
	var rows [][]string
	for _, v := range r.Ingests {
		full, plain := v.bound(boundFullText), v.bound(boundPlain)
		if v.Phase != phaseCold || full == nil || plain == nil {
			continue
		}
		us := v.Total.by(itemsPerFeed)
		rows = append(rows, []string{v.Engine, us.text("%.0f"), fmt.Sprintf("%.0f", v.DB.Median/itemsPerFeed), fmt.Sprintf("%.0f", us.perSecond().Median),
			fmt.Sprintf("%.0f", v.Wall.Median*itemsPerFeed), fmt.Sprintf("%.0f", full.US.perSecond().Median), full.Ratio.inverse().text("%.2f"),
			verdict(1/full.Ratio.Median >= aimShare), fmt.Sprintf("%.0f", plain.US.perSecond().Median), plain.Ratio.inverse().text("%.2f"),
			thousands(v.Checked), v.Noise.text()})
	}
	feeds := 0
	if len(r.Ingests) > 0 {
		feeds = r.Ingests[0].Feeds
	}
	table(b, fmt.Sprintf("Ingestion: %s new feeds of %d items", thousands(feeds), itemsPerFeed), []string{"engine", "CPU us an item", "Postgres's part",
		"items per CPU second", "items a second", "bound with a full-text index, items per CPU second", "share of it", fmt.Sprintf("at least %.2f", aimShare),
		"bound without", "share of it", "items checked, none lost or twice", "others / stolen cores"}, rows)
}

// againTable tells of feeds that are fetched again.
func (r *Report) againTable(b *strings.Builder) {
	var rows [][]string
	for _, v := range r.Ingests {
		what, bound, ratio, state := "nothing new (304)", "", "", verdict(v.Total.Median/1e3 <= aimUnchanged)
		aim := fmt.Sprintf("%.1f ms", aimUnchanged)
		switch parse := v.bound(boundParse); {
		case v.Phase == phaseCold, v.Phase == phaseTenth && parse == nil:
			continue
		case v.Phase == phaseTenth:
			what, bound, ratio = "a tenth new", fmt.Sprintf("%.1f", parse.US.Median*itemsPerFeed/1e3), parse.Ratio.text("%.2f")
			aim, state = fmt.Sprintf("%.1f times", aimTenth), verdict(parse.Ratio.Median <= aimTenth)
		}
		rows = append(rows, []string{v.Engine, what, v.Total.by(1e3).text("%.2f"), fmt.Sprintf("%.2f", v.DB.Median/1e3), bound, ratio, aim, state,
			fmt.Sprintf("%.0f", v.Wall.Median), thousands(v.Checked), v.Noise.text()})
	}
	table(b, "The same feeds again (CPU ms a feed)", []string{"engine", "what the feeds have", "CPU ms a feed", "Postgres's part", "parsing + sanitising all of it alone",
		"ratio", "at most", "", "feeds a second", "items checked, none lost or twice", "others / stolen cores"}, rows)
}

// passTable tells how the cost of a pass grows.
func (r *Report) passTable(b *strings.Builder) {
	var rows [][]string
	least := map[string]float64{} // cost among the fewest sources of an engine
	for _, v := range r.Passes {
		ratio, state := "", ""
		switch first, known := least[v.Engine]; {
		case v.Hosts == v.Sources: // each alone on its host: not compared
		case !known:
			least[v.Engine] = v.Unchanged.Median
		default:
			ratio, state = fmt.Sprintf("%.2f", v.Unchanged.Median/first), verdict(v.Unchanged.Median/first <= aimLinear)
		}
		rows = append(rows, []string{v.Engine, thousands(v.Sources), thousands(v.Hosts), v.Unchanged.by(1e3).text("%.2f"), fmt.Sprintf("%.2f", v.DBShare.Median/1e3),
			ratio, state, fmt.Sprintf("%.0f", v.Wall.Median), fmt.Sprintf("%.1f", v.Cold.Median/1e3), fmt.Sprintf("%.0f", v.Memory.Peak), v.Noise.text()})
	}
	table(b, fmt.Sprintf("How a pass grows with the sources (CPU ms a source that answers 304; %d items each)", passItems), []string{"engine", "sources", "hosts",
		"CPU ms a source", "Postgres's part", "to the fewest", fmt.Sprintf("at most %.1f", aimLinear), "sources a second", "CPU ms the first time", "peak MB",
		"others / stolen cores"}, rows)
}

// claimTable tells what claiming costs among few and many sources.
func (r *Report) claimTable(b *strings.Builder) {
	var rows [][]string
	least := map[string]float64{}
	for _, v := range r.Claims {
		ratio, state := "", ""
		if first, known := least[v.Engine]; known {
			ratio, state = fmt.Sprintf("%.2f", v.Claim.Median/first), verdict(v.Claim.Median/first <= aimClaim)
		} else {
			least[v.Engine] = v.Claim.Median
		}
		rows = append(rows, []string{v.Engine, thousands(v.Sources), thousands(v.Due), v.Claim.text("%.0f"), ratio, state, v.Look.text("%.0f"), v.Noise.text()})
	}
	table(b, "Claiming among many sources (CPU us)", []string{"engine", "sources in the table", "due", "claim, read and release of one host", "to the fewest",
		fmt.Sprintf("at most %.1f", aimClaim), "a look when nothing is due", "others / stolen cores"}, rows)
}

// ingestMemory adds the memory after each phase.
func (r *Report) ingestMemory(add func(engine, when string, m Memory, aim float64)) {
	for _, v := range r.Ingests {
		add(v.Engine, "after ingestion, "+v.Phase, v.Memory, aimPeak)
	}
}
