package feed

import "strings"

// zoneByName returns the offset of a zone in hours. Ambiguous names are read
// as in North America and western Europe, where feeds use them most.
func zoneByName(name string) (float64, bool) {
	switch name {
	case "Z", "UT", "UTC", "GMT", "WET":
		return 0, true
	case "BST", "CET", "WEST", "MEZ", "WAT":
		return 1, true
	case "CEST", "EET", "MESZ", "SAST", "CAT":
		return 2, true
	case "EEST", "MSK", "EAT", "TRT", "IDT":
		return 3, true
	case "IRST":
		return 3.5, true
	case "MSD", "GST":
		return 4, true
	case "PKT":
		return 5, true
	case "IST":
		return 5.5, true
	case "NPT":
		return 5.75, true
	case "ICT", "WIB":
		return 7, true
	case "SGT", "HKT", "AWST", "MYT", "PHT", "WITA":
		return 8, true
	case "JST", "KST", "WIT":
		return 9, true
	case "ACST":
		return 9.5, true
	case "AEST":
		return 10, true
	case "ACDT":
		return 10.5, true
	case "AEDT":
		return 11, true
	case "NZST":
		return 12, true
	case "NZDT":
		return 13, true
	case "BRST":
		return -2, true
	case "NDT":
		return -2.5, true
	case "BRT", "ADT", "ART", "UYT", "CLST":
		return -3, true
	case "NST":
		return -3.5, true
	case "EDT", "AST", "CLT", "VET":
		return -4, true
	case "EST", "CDT", "ET", "COT", "PET":
		return -5, true
	case "CST", "MDT", "CT":
		return -6, true
	case "MST", "PDT", "MT":
		return -7, true
	case "PST", "AKDT", "PT":
		return -8, true
	case "AKST":
		return -9, true
	case "HST":
		return -10, true
	}
	return 0, false
}

// noon returns 'a' for a word that means before noon, 'p' for one that means
// after it, 0 for any other.
func noon(upper string) byte {
	switch upper {
	case "PM", "P", "오후", "下午", "午後", "ΜΜ":
		return 'p'
	case "AM", "A", "오전", "上午", "午前", "ΠΜ":
		return 'a'
	}
	return 0
}

// monthForms are the names of the months, full and cut, without accents: of
// English, German, French, Spanish, Italian, Portuguese, Dutch, the Nordic
// languages, Polish, Czech, Hungarian, Romanian, Turkish, Indonesian, Russian,
// Ukrainian and Greek, in the forms that dates have.
var monthForms = [...]string{
	"january januar janvier enero gennaio janeiro januari jan ene gen janv ianuarie ian stycznia styczen sty ledna leden janner tammikuuta tammi ocak oca januara января янв январь січня січ ιανουαριος ιανουαριου ιαν",
	"february februar fevrier febrero febbraio fevereiro februari feb fev fevr februarie lutego luty lut unora unor feber helmikuuta helmi subat sub fbr февраля фев февраль лютого лют φεβρουαριος φεβρουαριου φεβ φευ",
	"march marz mars marzo marco maart mar mrz mrt martie marca marzec brezna brezen maaliskuuta maalis mart marcius marc maret марта мар март березня бер μαρτιος μαρτιου μαρ μαρτ maerz",
	"april avril abril aprile apr avr abr aprilie kwietnia kwiecien kwi dubna duben huhtikuuta huhti nisan nis aprilis апреля апр апрель квітня кві απριλιος απριλιου απρ",
	"may mai mayo maggio maio mei mag maj maja kvetna kveten toukokuuta touko mayis majus мая май травня тра μαιος μαιου μαι μαϊ",
	"june juni juin junio giugno junho jun giu iunie iun czerwca czerwiec cze cervna cerven kesakuuta kesa haziran haz junius июня июн июнь червня чер ιουνιος ιουνιου ιουν",
	"july juli juillet julio luglio julho jul lug juil iulie iul lipca lipiec lip cervence cervenec heinakuuta heina temmuz tem julius июля июл июль липня лип ιουλιος ιουλιου ιουλ",
	"august aout agosto augustus aug ago aou augusti sierpnia sierpien sie srpna srpen elokuuta elo agustos augusztus agustus agt августа авг август серпня сер αυγουστος αυγουστου αυγ",
	"september septembre septiembre settembre setembro sep sept set septembrie wrzesnia wrzesien wrz zari syyskuuta syys eylul eyl szeptember szept сентября сен сент сентябрь вересня вер σεπτεμβριος σεπτεμβριου σεπ σεπτ",
	"october oktober octobre octubre ottobre outubro oct okt ott out octombrie pazdziernika pazdziernik paz rijna rijen lokakuuta loka ekim eki октября окт октябрь жовтня жов οκτωβριος οκτωβριου οκτ",
	"november novembre noviembre novembro nov noiembrie noi listopada listopad lis listopadu marraskuuta marras kasim kas noyabr ноября ноя нояб ноябрь листопада лис νοεμβριος νοεμβριου νοε νοεμ",
	"december dezember decembre diciembre dicembre dezembro dec dez dic decembrie grudnia grudzien gru prosince prosinec joulukuuta joulu aralik ara desember des декабря дек декабрь грудня гру δεκεμβριος δεκεμβριου δεκ",
}

// accents removes the accents of the month names.
var accents = strings.NewReplacer("é", "e", "è", "e", "ê", "e", "û", "u", "ú", "u", "ü", "u", "ů", "u", "ä", "a", "á", "a", "ă", "a", "ç", "c", "č", "c", "ć", "c",
	"ř", "r", "ś", "s", "ş", "s", "ź", "z", "ž", "z", "ż", "z", "ń", "n", "í", "i", "ı", "i", "ě", "e", "ý", "y", "ő", "o", "ö", "o", "ğ", "g", "ł", "l",
	"ά", "α", "έ", "ε", "ή", "η", "ί", "ι", "ό", "ο", "ύ", "υ", "ώ", "ω", "ς", "σ", "ΐ", "ϊ", "\u0307", "")

// months maps the month names, without accents, to their months.
var months = func() map[string]int {
	byName := make(map[string]int, 300)
	for m, forms := range monthForms {
		for form := range strings.FieldsSeq(forms) {
			byName[form] = m + 1
		}
	}
	return byName
}()

// monthByName returns the month of a name, full or cut; 0 when it is none.
func monthByName(name string) int {
	name = strings.ToLower(strings.Trim(name, ".'"))
	if !isASCII([]byte(name)) {
		name = accents.Replace(name)
	}
	return months[name]
}
