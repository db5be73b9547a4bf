package neardup

import (
	"fmt"
	"strings"
)

// copyKinds are the ways in which a copy of an article differs from it.
var copyKinds = []struct {
	name string
	make func(*corpus, *writer, article) (title, text string)
}{
	{"frame", frame},
	{"frame", frame},
	{"first 200 words", func(c *corpus, w *writer, a article) (string, string) {
		return a.title, firstWords(w, a.text(), 200) + c.oneOf("… ... […]")
	}},
	{"teaser", func(c *corpus, w *writer, a article) (string, string) {
		return a.title, firstWords(w, a.text(), 40+c.IntN(40)) + c.pick([]string{"…", " […]", "... Read more", " Continue reading →"})
	}},
	{"teaser in a frame", func(c *corpus, w *writer, a article) (string, string) {
		a.paras = []string{firstWords(w, a.text(), 50+c.IntN(40)) + "…"}
		return frame(c, w, a)
	}},
	{"syndicated", syndicated},
	{"syndicated", syndicated},
	{"new headline", func(c *corpus, w *writer, a article) (string, string) { return w.title(), a.text() }},
	{"paragraph added", func(c *corpus, w *writer, a article) (string, string) {
		at := c.IntN(len(a.paras) + 1)
		paras := append([]string{}, a.paras[:at]...)
		return a.title, article{paras: append(append(paras, paragraph(w)), a.paras[at:]...)}.text()
	}},
	{"paragraph rewritten", rewritten},
	{"paragraph rewritten, new headline", func(c *corpus, w *writer, a article) (string, string) {
		_, text := rewritten(c, w, a)
		return w.title(), text
	}},
	{"copy-edited", copyEdited},
	{"number corrected", func(c *corpus, w *writer, a article) (string, string) {
		words := strings.Fields(a.text())
		for i, word := range words {
			if strings.Trim(word, "0123456789") == "" && c.chance(30) {
				words[i] = fmt.Sprint(c.IntN(2000))
				break
			}
		}
		return a.title, strings.Join(words, " ")
	}},
	{"retyped", func(c *corpus, w *writer, a article) (string, string) {
		return strings.ToUpper(a.title), strings.NewReplacer(". ", ".\n", ",", " –", "'", "’").Replace(a.text())
	}},
}

func paragraph(w *writer) string {
	var list []string
	for range 2 + w.IntN(2) {
		s, _ := w.sentence()
		list = append(list, s)
	}
	return strings.Join(list, w.between)
}

func firstWords(w *writer, text string, n int) string {
	if w.space == "" {
		r := []rune(text)
		return string(r[:min(len(r), w.letters*n)])
	}
	words := strings.Fields(text)
	return strings.Join(words[:min(len(words), n)], " ")
}

// frame puts what sites print around an article around it.
func frame(c *corpus, w *writer, a article) (string, string) {
	site := c.oneOf(firstHalf) + c.oneOf(secondHalf) + " " + c.oneOf("Daily Times Post Review Wire Weekly")
	text := a.text()
	if c.chance(50) {
		text = c.pick([]string{
			"Home » News » " + a.title,
			"Listen to this article. " + fmt.Sprint(2+c.IntN(9)) + " min read",
			"This story first appeared on " + site + ".",
			"Share on Facebook Share on Twitter Share by mail",
			"You are reading a free article of " + site + ". Subscribe to read more of our work.",
		}) + "\n\n" + text
	}
	if c.chance(80) {
		text += "\n\n" + c.pick([]string{
			"The post " + a.title + " appeared first on " + site + ".",
			"Read more at " + site,
			"Filed under: " + w.word() + ", " + w.word() + ", " + w.word(),
			"Copyright 2026 " + site + ". All rights reserved. Terms of use, privacy policy, contact, imprint.",
			"Sign up for the newsletter of " + site + " and get the best stories of the week in your inbox every Friday.",
			"Related: " + w.title() + " | " + w.title() + " | " + w.title(),
		})
	}
	if c.chance(30) {
		return a.title + c.pick([]string{" | ", " - ", " – "}) + site, text
	}
	return a.title, text
}

// syndicated puts an agency's line before an article, and an author's.
func syndicated(c *corpus, w *writer, a article) (string, string) {
	place := strings.ToUpper(c.oneOf(firstHalf) + c.oneOf(secondHalf))
	author := c.oneOf(firstHalf) + " " + c.oneOf(firstHalf) + c.oneOf(secondHalf)
	text := c.pick([]string{
		place + " (Agency) - ",
		place + ", " + c.date() + " (AGN) — ",
		"By " + author + "\n\n" + place + " (Agency) - ",
		"By " + author + ", staff writer\nPublished " + c.date() + fmt.Sprintf(" at %d:%02d", c.IntN(24), c.IntN(60)) + "\n\n",
		fmt.Sprintf("Updated %s, %d:%02d GMT\n\n", c.date(), c.IntN(24), c.IntN(60)),
	}) + a.text()
	if c.chance(40) {
		text += "\n\n" + c.pick([]string{
			"(Reporting by " + author + "; editing by " + c.oneOf(firstHalf) + " " + c.oneOf(secondHalf) + ")",
			"© 2026 Agency. This material may not be published, broadcast or rewritten without permission.",
			author + " writes about " + w.word() + " and " + w.word() + ".",
		})
	}
	title := a.title
	if c.chance(25) {
		title = c.pick([]string{"UPDATE 1-", "Watch: ", "Exclusive: "}) + title
	}
	return title, text
}

// rewritten replaces the last paragraph but one by another; a text of one or two
// paragraphs gets another one instead.
func rewritten(c *corpus, w *writer, a article) (string, string) {
	paras := append([]string{}, a.paras...)
	if len(paras) < 4 {
		return a.title, article{paras: append(paras, paragraph(w))}.text()
	}
	paras[1+c.IntN(len(paras)-1)] = paragraph(w)
	return a.title, article{paras: paras}.text()
}

// copyEdited changes, drops and adds small words here and there.
func copyEdited(c *corpus, w *writer, a article) (string, string) {
	rate := 1 + c.IntN(4)
	if w.space == "" {
		var out []rune
		for _, r := range a.text() {
			switch {
			case !c.chance(rate) || r < 0x80:
				out = append(out, r)
			case c.chance(60):
				out = append(out, []rune(w.word())...)
			}
		}
		return a.title, string(out)
	}
	var out []string
	for word := range strings.FieldsSeq(a.text()) {
		switch {
		case !c.chance(rate) || word != strings.ToLower(word) || strings.ContainsAny(word, "0123456789"):
			out = append(out, word)
		case c.chance(60):
			out = append(out, strings.ToLower(w.word()))
		case c.chance(50):
			out = append(out, word, strings.ToLower(w.word()))
		}
	}
	return a.title, strings.Join(out, " ")
}
