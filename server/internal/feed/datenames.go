package feed

import "strings"

// zoneByName returns the offset of a zone in hours. Ambiguous names are read
// as in North America and western Europe, where feeds use them most.
func zoneByName(name string) (float64, bool) {
	switch name {
	case "Z", "UT", "UTC", "GMT", "WET":
		return 0, true
	case "BST", "CET", "WEST", "MEZ":
		return 1, true
	case "CEST", "EET", "MESZ", "SAST":
		return 2, true
	case "EEST", "MSK":
		return 3, true
	case "IST":
		return 5.5, true
	case "SGT", "HKT", "AWST":
		return 8, true
	case "JST", "KST":
		return 9, true
	case "AEST":
		return 10, true
	case "AEDT":
		return 11, true
	case "NZST":
		return 12, true
	case "NZDT":
		return 13, true
	case "BRT", "ADT":
		return -3, true
	case "EDT", "AST":
		return -4, true
	case "EST", "CDT":
		return -5, true
	case "CST", "MDT":
		return -6, true
	case "MST", "PDT":
		return -7, true
	case "PST", "AKDT":
		return -8, true
	case "AKST":
		return -9, true
	case "HST":
		return -10, true
	}
	return 0, false
}

// monthByName returns the month of a name, full or cut to at least three
// letters, in English, German, French, Spanish, Italian, Portuguese or Dutch;
// 0 when it is none.
func monthByName(name string) int {
	name = strings.ToLower(strings.Trim(name, "."))
	name = strings.NewReplacer("é", "e", "û", "u", "ä", "a", "ç", "c").Replace(name)
	if len(name) < 3 {
		return 0
	}
	if strings.HasPrefix(name, "juil") {
		return 7
	}
	for m, forms := range [...]string{
		"january januar janvier enero gennaio janeiro januari jan ene gen",
		"february februar fevrier febrero febbraio fevereiro februari feb fev",
		"march marz mars marzo marco maart mar mrz mrt",
		"april avril abril aprile apr avr abr",
		"may mai mayo maggio maio mei mag",
		"june juni juin junio giugno junho jun giu",
		"july juli juillet julio luglio julho jul lug",
		"august aout agosto augustus aug ago aou",
		"september septembre septiembre settembre setembro sep sept set",
		"october oktober octobre octubre ottobre outubro oct okt ott out",
		"november novembre noviembre novembro nov",
		"december dezember decembre diciembre dicembre dezembro dec dez dic",
	} {
		for _, form := range strings.Fields(forms) {
			if form == name {
				return m + 1
			}
		}
	}
	return 0
}
