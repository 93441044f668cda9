// Golden vectors from three Go libraries that other people wrote: golang.org/x/mod/sumdb/note,
// github.com/transparency-dev/merkle and github.com/transparency-dev/formats.
//
//	cd tests/vectors/go && go run . ..
//
// writes tree/go.json, note/go.json, proof/go.json. The same input gives the same bytes.
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

	tlog "github.com/transparency-dev/formats/log"
	tproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/note"
)

type object = map[string]any

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func write(folder, room string, value any) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	check(encoder.Encode(value))
	check(os.WriteFile(filepath.Join(folder, room, "go.json"), text.Bytes(), 0o644))
}

func hexes(hashes [][]byte) []string {
	result := []string{}
	for _, hash := range hashes {
		result = append(result, hex.EncodeToString(hash))
	}
	return result
}

// Leaf i is the decimal text of i.
func grow(size int) *testonly.Tree {
	tree := testonly.New(rfc6962.DefaultHasher)
	for i := range size {
		tree.AppendData([]byte(fmt.Sprint(i)))
	}
	return tree
}

func tree(folder string, big *testonly.Tree) {
	sizes := []uint64{}
	for size := range uint64(67) {
		sizes = append(sizes, size)
	}
	sizes = append(sizes, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1000, 65535, 65536, 65537, 66000)
	roots := []any{}
	for _, size := range sizes {
		roots = append(roots, []any{size, hex.EncodeToString(big.HashAt(size))})
	}
	write(folder, "tree", object{
		"made_by": "github.com/transparency-dev/merkle v0.0.2",
		"leaf":    "leaf i is the decimal text of i",
		"roots":   roots,
	})
}

func proofs(folder string, big *testonly.Tree, signer note.Signer) {
	inclusion, consistency := []any{}, []any{}
	for _, pair := range [][2]uint64{
		{0, 1}, {0, 2}, {1, 2}, {0, 3}, {2, 3}, {3, 4}, {4, 5}, {0, 7}, {5, 7}, {6, 7}, {0, 8}, {5, 8},
		{100, 200}, {255, 256}, {256, 257}, {511, 513}, {65535, 65536}, {65536, 65537}, {300, 66000},
	} {
		index, size := pair[0], pair[1]
		path := must(big.InclusionProof(index, size))
		leaf := big.LeafHash(index)
		check(proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leaf, path, big.HashAt(size)))
		inclusion = append(inclusion, object{
			"index": index, "size": size, "path": hexes(path),
			"leaf": hex.EncodeToString(leaf), "root": hex.EncodeToString(big.HashAt(size)),
		})
	}
	for _, pair := range [][2]uint64{
		{1, 1}, {1, 2}, {1, 3}, {2, 3}, {2, 4}, {3, 4}, {3, 7}, {4, 7}, {6, 7}, {6, 8}, {7, 8}, {8, 8},
		{100, 200}, {128, 200}, {255, 257}, {256, 257}, {512, 66000}, {65535, 65536}, {65536, 65537},
	} {
		older, newer := pair[0], pair[1]
		path := must(big.ConsistencyProof(older, newer))
		before, after := big.HashAt(older), big.HashAt(newer)
		check(proof.VerifyConsistency(rfc6962.DefaultHasher, older, newer, path, before, after))
		consistency = append(consistency, object{
			"old": older, "new": newer, "path": hexes(path),
			"old_root": hex.EncodeToString(before), "new_root": hex.EncodeToString(after),
		})
	}
	files := []any{}
	for _, pair := range [][2]uint64{{0, 1}, {3, 7}, {5, 8}, {256, 300}} {
		index, size := pair[0], pair[1]
		checkpoint := tlog.Checkpoint{Origin: signer.Name(), Size: size, Hash: big.HashAt(size)}
		signed := must(note.Sign(&note.Note{Text: string(checkpoint.Marshal())}, signer))
		hashes := [][sha256.Size]byte{}
		for _, hash := range must(big.InclusionProof(index, size)) {
			hashes = append(hashes, [sha256.Size]byte(hash))
		}
		file := tproof.TLogProof{
			Index: index, Hashes: hashes, Checkpoint: signed, ExtraData: []byte(fmt.Sprint(index)),
		}
		files = append(files, object{"index": index, "size": size, "text": string(file.Marshal())})
	}
	write(folder, "proof", object{
		"made_by":     "github.com/transparency-dev/merkle v0.0.2, formats v0.1.1",
		"leaf":        "leaf i is the decimal text of i; in a file it stands as the extra data",
		"vkey":        vkeyOf(signer),
		"inclusion":   inclusion,
		"consistency": consistency,
		"files":       files,
	})
}

// A key whose seed is the SHA-256 of its name; "private" is nothing that anybody relies on.
func key(name string) (note.Signer, ed25519.PrivateKey) {
	seed := sha256.Sum256([]byte(name))
	private := ed25519.NewKeyFromSeed(seed[:])
	vkey := must(note.NewEd25519VerifierKey(name, private.Public().(ed25519.PublicKey)))
	verifier := must(note.NewVerifier(vkey))
	encoded := base64.StdEncoding.EncodeToString(append([]byte{1}, seed[:]...))
	skey := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, verifier.KeyHash(), encoded)
	return must(note.NewSigner(skey)), private
}

func vkeyOf(signer note.Signer) string {
	_, private := key(signer.Name())
	return must(note.NewEd25519VerifierKey(signer.Name(), private.Public().(ed25519.PublicKey)))
}

func notes(folder string, big *testonly.Tree) {
	first, private := key("example.org/ledger/00112233aabbccdd")
	second, _ := key("witness.example")
	made := []any{}
	for _, text := range []string{
		"one line\n", "two lines\n\nwith an empty one between\n", "ünïcödé — dash\n", "\n",
	} {
		made = append(made, object{"note": string(must(note.Sign(&note.Note{Text: text}, first)))})
	}
	for _, size := range []uint64{0, 1, 7, 256, 66000} {
		text := string(tlog.Checkpoint{Origin: first.Name(), Size: size, Hash: big.HashAt(size)}.Marshal())
		signed := must(note.Sign(&note.Note{Text: text}, first))
		cosigned := must(note.Sign(&note.Note{Text: text}, first, second))
		made = append(made, object{
			"size": size, "root": hex.EncodeToString(big.HashAt(size)),
			"note": string(signed), "cosigned": string(cosigned),
		})
	}
	write(folder, "note", object{
		"made_by":      "golang.org/x/mod v0.42.0 (sumdb/note), github.com/transparency-dev/formats v0.1.1",
		"vkey":         vkeyOf(first),
		"witness_vkey": vkeyOf(second),
		"seed":         hex.EncodeToString(private.Seed()),
		"notes":        made,
	})
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run . FOLDER")
	}
	big := grow(66000)
	signer, _ := key("example.org/ledger/00112233aabbccdd")
	tree(os.Args[1], big)
	notes(os.Args[1], big)
	proofs(os.Args[1], big, signer)
}
