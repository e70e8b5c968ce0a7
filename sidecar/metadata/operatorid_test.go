package metadata

import (
	"encoding/json"
	"testing"
)

// TestFromUID: the uids and ids of jobs that ran on Flink.
func TestFromUID(t *testing.T) {
	for uid, want := range map[string]string{
		"go-udf":       "e93072e299b7817fda91d93bbf0b3d97",
		"src":          "f362c87ffabe89c8a91fa7d0a523ba6c",
		"slow":         "59fa767824610e31f4a11d6125e09bf4",
		"snk":          "174221cdeb0319d648eaa9a485bb23ad",
		"lab-source":   "5582eb47ebd694f76960115c721d418e",
		"go-async":     "91b8b991738f00a8c1846af6a61dfd80",
		"keyed-count":  "bde003748507fe3676ee1553bea4cff0",
		"go-udf-state": "ba422401a82d0a8049b339f7707e68a9",
		"lab-sink":     "b69968cf7dd78ea4478b1de2608bebc8",
	} {
		if got := FromUID(uid).String(); got != want {
			t.Errorf("FromUID(%q) = %s, want %s", uid, got, want)
		}
	}
}

// TestFromUIDLengths covers every length of the last block; the sums are of another implementation of MurmurHash3_x64_128.
func TestFromUIDLengths(t *testing.T) {
	const text = "the quick brown fox jumps over the lazy dog"
	for length, want := range uidVectors {
		if got := FromUID(text[:length]).String(); got != want {
			t.Errorf("%d bytes: %s, want %s", length, got, want)
		}
	}
	for _, name := range captures {
		for _, operator := range parse(t, read(t, name)).Operators {
			if operator.UID != "" && FromUID(operator.UID) != operator.ID {
				t.Errorf("%s: uid %q gives %v, the file says %v", name, operator.UID, FromUID(operator.UID), operator.ID)
			}
		}
	}
}

func TestOperatorIDText(t *testing.T) {
	id, err := ParseOperatorID("91B8B991738F00A8C1846AF6A61DFD80")
	if err != nil || id != FromUID("go-async") {
		t.Errorf("ParseOperatorID = %v, %v", id, err)
	}
	for _, text := range []string{"", "91b8", "91b8b991738f00a8c1846af6a61dfd8g", "91b8b991738f00a8c1846af6a61dfd8000"} {
		if id, err := ParseOperatorID(text); err == nil || id != (OperatorID{}) {
			t.Errorf("ParseOperatorID(%q) = %v, %v", text, id, err)
		}
	}
	data, err := json.Marshal(map[string]OperatorID{"id": id})
	if err != nil || string(data) != `{"id":"91b8b991738f00a8c1846af6a61dfd80"}` {
		t.Errorf("JSON %s, %v", data, err)
	}
	var back map[string]OperatorID
	if err := json.Unmarshal(data, &back); err != nil || back["id"] != id {
		t.Errorf("back from JSON: %v, %v", back, err)
	}
}

var uidVectors = []string{
	"00000000000000000000000000000000",
	"e64c0a6370bc7d684cd8d67043ac6518",
	"dcbe3e7829dd91159a1a8ec7474ec092",
	"1c0ecbc985f48f6af0ffdcac3339c9d9",
	"456b4004da819f55d5044f763777b0a0",
	"d9749f7c80cbfa5f8a195e698fce8628",
	"65a38dcdb00546707e415f6e54533a64",
	"2811909927ae9417877dd85b6045c930",
	"3d387bb151de3275bf5d2232c1be318c",
	"7dc0e0808c0937c38c9d2d00af8f8d7d",
	"fc8fc3b57eaf98d177755c966c5378ea",
	"223c60d093550353f07df408c2bc3518",
	"2b86fe6578df9eaca319590002dcb0ba",
	"123ad261959cc6a4ca48728ac7f9d9c2",
	"e70f2557d0b9576f21fee2c19079b8c0",
	"3670857654835a3e62b2679276fd2ce6",
	"19e452758d4723d553a2619a7809f946",
	"f8a55046635df7ada7ce31cb1d9f75ac",
	"224900e525f09d5086713982001cbf30",
	"a8d08d8022e54489cc8ea9923831df0b",
	"1cf3860c246a8097ef63cd132cc9025b",
	"721afe93ea3b32e7e5e4e225ca43b632",
	"b6264fea31e1d63ae413410969090d15",
	"cf75ab59f5a0b1fec5d07ae81e799ff7",
	"5dcb20f785903f186b2da275fe2bad93",
	"0d34874302cfac900f8c59ecb410b5ae",
	"9dcf17e58fbd1fc335799d62563df67b",
	"d14ce0ebd0e5eddd5165f88918681c25",
	"f09873f5b6b7239fe09753b0041a7478",
	"92f50bce39c8c6593ea305cec8fc2164",
	"7d342e9ba12a76e1b76665c066367045",
	"685787196f5c5bb943d7c050bef4f1bb",
	"05521f900c74610e39ca3cafd708f3af",
	"42d3bf48e9349fdead7459b4a0138544",
	"650a6034883d5f9b8f9a0eba86133cc9",
}
