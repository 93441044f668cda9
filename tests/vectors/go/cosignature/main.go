// Golden vectors for witnesses from Go libraries that other people wrote: cosignatures of
// github.com/transparency-dev/formats, consistency proofs of golang.org/x/mod/sumdb/tlog.
//
//	cd tests/vectors/go && go run ./cosignature ..
//
// writes cosignature/go.json. The library signs as of now and takes no other time, so the
// cosignatures differ from run to run; all else is the same.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type object = map[string]any

const origin = "example.org/ledger/00112233aabbccdd"

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// A key whose seed is the SHA-256 of its name, as a signer key and a verifier key of one type.
func key(name string, kind byte) (skey, vkey string) {
	seed := sha256.Sum256([]byte(name))
	public := ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
	material := append([]byte{kind}, public...)
	sum := sha256.Sum256(append([]byte(name+"\n"), material...))
	private := base64.StdEncoding.EncodeToString(append([]byte{kind}, seed[:]...))
	encoded := base64.StdEncoding.EncodeToString(material)
	return fmt.Sprintf("PRIVATE+KEY+%s+%x+%s", name, sum[:4], private),
		fmt.Sprintf("%s+%x+%s", name, sum[:4], encoded)
}

// Leaf i is the decimal text of i; hashes as sumdb/tlog stores them.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := []tlog.Hash{}
	for _, index := range indexes {
		found = append(found, h[index])
	}
	return found, nil
}

func grow(size int64) hashes {
	stored := hashes{}
	for i := range size {
		more := must(tlog.StoredHashes(i, []byte(fmt.Sprint(i)), stored))
		stored = append(stored, more...)
	}
	return stored
}

func consistency(stored hashes) []any {
	found := []any{}
	for _, pair := range [][2]int64{
		{1, 1}, {1, 2}, {2, 3}, {3, 7}, {4, 7}, {6, 8}, {7, 8}, {8, 8}, {100, 200}, {128, 200},
		{255, 257}, {256, 257}, {256, 512}, {300, 1000}, {999, 1000},
	} {
		older, newer := pair[0], pair[1]
		before, after := must(tlog.TreeHash(older, stored)), must(tlog.TreeHash(newer, stored))
		proof := must(tlog.ProveTree(newer, older, stored))
		check(tlog.CheckTree(proof, newer, after, older, before))
		path := []string{}
		for _, hash := range proof {
			path = append(path, hex.EncodeToString(hash[:]))
		}
		found = append(found, object{
			"old": older, "new": newer, "path": path,
			"old_root": hex.EncodeToString(before[:]), "new_root": hex.EncodeToString(after[:]),
		})
	}
	return found
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run ./cosignature FOLDER")
	}
	stored := grow(1000)
	logKey, logVkey := key(origin, 1)
	firstKey, firstVkey := key("witness.example/one", 4)
	secondKey, secondVkey := key("witness.example/two", 4)
	pqKey, _, err := fnote.GenerateMLDSAKey("witness.example/pq")
	check(err)
	signer := must(note.NewSigner(logKey))
	first := must(fnote.NewSignerForCosignatureV1(firstKey))
	second := must(fnote.NewSignerForCosignatureV1(secondKey))
	quantum := must(fnote.NewSignerForCosignatureV1(pqKey))
	verifiers := note.VerifierList(
		must(note.NewVerifier(logVkey)),
		must(fnote.NewVerifierForCosignatureV1(firstVkey)),
		must(fnote.NewVerifierForCosignatureV1(secondVkey)),
	)
	made := []any{}
	for _, size := range []int64{1, 7, 256, 1000} {
		root := must(tlog.TreeHash(size, stored))
		text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)
		for _, signers := range [][]note.Signer{
			{signer, first}, {signer, first, second}, {signer, quantum, second},
		} {
			signed := must(note.Sign(&note.Note{Text: text}, signers...))
			times := object{}
			for _, line := range must(note.Open(signed, verifiers)).Sigs[1:] {
				times[line.Name] = must(fnote.CoSigV1Timestamp(line)).Unix()
			}
			made = append(made, object{"note": string(signed), "times": times})
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	check(encoder.Encode(object{
		"made_by":     "github.com/transparency-dev/formats v0.1.1 (note), golang.org/x/mod v0.42.0 (sumdb/tlog)",
		"vkey":        logVkey,
		"witnesses":   []string{firstVkey, secondVkey},
		"seed":        hex.EncodeToString(seedOf("witness.example/one")),
		"cosigned":    made,
		"consistency": consistency(stored),
	}))
	place := filepath.Join(os.Args[1], "cosignature", "go.json")
	check(os.WriteFile(place, text.Bytes(), 0o644))
}

func seedOf(name string) []byte {
	seed := sha256.Sum256([]byte(name))
	return seed[:]
}
