package feed

import "strings"

// isTracking reports whether a query parameter tells how a reader came to a
// page and not which page it is, or asks for the AMP form of it. Both are in
// lower case. The names are those that the analytics and newsletter services
// document; a name that pages also use for content is not among them.
func isTracking(name, value string) bool {
	for _, p := range []string{"utm_", "mtm_", "matomo_", "pk_", "piwik_", "hsa_", "__hs", "_hs", "vero_", "oly_", "amp_", "wt.", "wt_", "guce_", "fb_action_", "_branch_"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	switch name {
	case "amp":
		return value == "" || value == "1" || value == "true"
	case "outputtype", "output":
		return value == "amp"
	case "source", "ref", "partner", "from", "cmp", "medium":
		return value == "rss" || value == "feed" || value == "atom"
	}
	return isTrackingExact(name)
}

func isTrackingExact(name string) bool {
	switch name {
	case "fbclid", "fb_ref", "fb_source", "fb_comment_id", // Facebook
		"gclid", "gclsrc", "dclid", "gbraid", "wbraid", "srsltid", "_ga", "_gl", "gad_source", "gad_campaignid", // Google
		"msclkid", "yclid", "ysclid", "twclid", "ttclid", "li_fat_id", "epik", "rdt_cid", "irclickid", "scclid", // others' clicks
		"igshid", "igsh", "mibextid", "si_share", // sharing
		"mc_cid", "mc_eid", "mkt_tok", "_hsenc", "_hsmi", "hsctatracking", "_ke", "_kx", "ck_subscriber_id", "s_cid", "ss_email_id", "bsft_clkid", "bsft_uid", // newsletters
		"at_medium", "at_campaign", "at_link_id", "at_link_type", "at_link_origin", "at_format", "at_ptr_name", "at_bbc_team", "at_custom1", "at_custom2", "at_custom3", "at_custom4", // BBC
		"sc_campaign", "sc_channel", "sc_content", "sc_country", "sc_geo", "sc_medium", "sc_outcome", "sc_cid", "sc_lid", "sc_uid", "sc_llid", "sc_eh",
		"guccounter", "ncid", "cmpid", "ns_mchannel", "ns_source", "ns_campaign", "ns_linkname", "ns_fee", "xtor", "spm", "ref_src", "ref_url", "trk", "trkcampaign", "smid", "rb_clickid", "wickedid", "zanpid", "c_id", "campaign_id", "asc_campaign", "asc_refurl", "asc_source",
		"jsessionid", "phpsessid", "aspsessionid": // sessions
		return true
	}
	return false
}
