package neardup

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode"
)

const (
	englishWords = `the to of and a in for on with that new their as this by from at are it will more has have been would
after over about into year years people company government report members public local early small large first last many
found made said told asked called took gave held came went grew fell rose cut raised opened closed started ended planned
agreed refused warned hoped expected market price city region river road school hospital station village council minister
student worker teacher artist writer farmer driver doctor engineer singer painter reader viewer listener visitor owner
budget rent loan tax fee profit loss share wage bill plan deal rule law court case vote poll debate speech letter book
film song show stage play game match season team league coach player fan crowd ticket winter summer spring autumn rain
storm heat flood fire water power gas oil coal wind solar grid plant factory mill shop store bank fund grant award prize
music video podcast newsletter platform studio channel audience creator subscriber sponsor licence copyright archive museum
library gallery theatre festival concert novel poem essay story chapter editor publisher journal magazine paper front page
quiet loud bright dark heavy light cheap dear rich poor young old slow fast warm cold empty full narrow wide deep shallow
quickly slowly rarely often never always again nearly almost hardly mostly partly despite although because since until while
however therefore meanwhile instead perhaps suddenly finally`
	germanNouns = `Haus Stadt Regierung Bericht Markt Preis Schule Straße Fluss Minister Künstler Schreiber Bauer Fahrer Ärztin
Haushalt Miete Kredit Steuer Gewinn Verlust Anteil Lohn Plan Gesetz Gericht Fall Wahl Rede Brief Buch Lied Bühne Spiel Saison
Mannschaft Winter Sommer Regen Sturm Hitze Feuer Wasser Strom Wind Werk Laden Bank Förderung Preis Musik Sendung Kanal Publikum`
	germanWords = `der die das und in zu den mit von für auf ist im dem nicht ein eine als auch es an werden aus er hat dass sie
nach wird bei noch am einen um zum war wurde vor sich haben über so mehr seit gegen unter ohne während weil obwohl schnell
langsam selten oft nie immer wieder fast kaum meist neu alt groß klein früh spät sagte erklärte forderte plante hoffte`
	frenchWords = `le la les de des du et un une dans pour que qui sur avec par au plus est sont été ont ce cette leur mais comme
année ville région rapport marché prix école rivière ministre artiste écrivain lecteur budget loyer crédit impôt profit perte
projet loi tribunal vote discours lettre livre film chanson scène saison équipe hiver été pluie tempête chaleur eau vent usine
banque bourse musique chaîne public créateur éditeur revue vite lentement souvent jamais toujours presque malgré parce pendant`
	firstHalf  = `Bel Cor Dan Fen Gar Hol Ist Jor Kal Lun Mar Nor Ost Per Quin Ral Sel Tor Ul Var Wes Yor Zan Bry Cal Dre`
	secondHalf = `ton berg field mont ley wick stad ford by ham dal ovia ria mere gate stone well haven shire minster worth`
	han        = `的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指`
	kana       = `あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん`
	thai       = `กขคงจชซญดตถทธนบปผฝพฟภมยรลวศษสหอฮ`
	cyrillic   = `абвгдежзиклмнопрстуфхцчшыя`
)

// writer writes sentences of a language. Words are drawn with Zipf's law, as
// words of a language are distributed.
type writer struct {
	*corpus
	words   []string
	zipf    *rand.Zipf
	space   string // between words
	stop    string // ends a sentence
	between string // sentences
	letters int    // of a word, where there are no spaces
}

var vocabularies = map[string][]string{
	"en": strings.Fields(englishWords),
	"de": strings.Fields(germanWords + " " + germanNouns),
	"fr": strings.Fields(frenchWords),
	"ru": invented(1, cyrillic, 2, 9, 900),
	"zh": invented(2, han, 1, 2, 900),
	"ja": invented(3, han+kana, 1, 3, 900),
	"th": invented(4, thai, 2, 5, 900),
}

// invented makes n words of an alphabet.
func invented(seed uint64, alphabet string, shortest, longest, n int) []string {
	r := rand.New(rand.NewPCG(seed, 0))
	letters := []rune(alphabet)
	list := make([]string, n)
	for i := range list {
		word := make([]rune, shortest+r.IntN(longest-shortest+1))
		for k := range word {
			word[k] = letters[r.IntN(len(letters))]
		}
		list[i] = string(word)
	}
	return list
}

func newWriter(c *corpus, language string) *writer {
	words := vocabularies[language]
	w := &writer{corpus: c, words: words, zipf: rand.NewZipf(c.Rand, 1.05, 12, uint64(len(words)-1)), space: " ", stop: ".", between: " "}
	switch language {
	case "zh", "ja":
		w.space, w.stop, w.between, w.letters = "", "。", "", 2
	case "th":
		w.space, w.stop, w.letters = "", "", 4
	}
	return w
}

func (w *writer) word() string { return w.words[w.zipf.Uint64()] }

// name returns a made-up name; scripts without capitals get one of their words.
func (w *writer) name() string {
	if w.space == "" {
		return w.words[w.IntN(len(w.words))] + w.words[w.IntN(len(w.words))]
	}
	return w.oneOf(firstHalf) + w.oneOf(secondHalf)
}

// sentence returns a sentence and the number of its words.
func (w *writer) sentence() (string, int) {
	n := 6 + w.IntN(18)
	words := make([]string, n)
	for i := range words {
		switch {
		case w.chance(6):
			words[i] = w.name()
		case w.chance(4):
			words[i] = fmt.Sprint(w.IntN(2000))
		default:
			words[i] = w.word()
		}
		if i > 3 && i < n-2 && w.chance(8) && w.space != "" {
			words[i] += ","
		}
	}
	words[0] = capital(words[0])
	return strings.Join(words, w.space) + w.stop, n
}

func (w *writer) title() string {
	words := make([]string, 5+w.IntN(6))
	for i := range words {
		words[i] = w.word()
		if w.chance(15) {
			words[i] = w.name()
		}
	}
	words[0] = capital(words[0])
	return strings.Join(words, w.space)
}

func capital(s string) string {
	r := []rune(s)
	if len(r) > 0 {
		r[0] = unicode.ToUpper(r[0])
	}
	return string(r)
}
