// A log that other people's code makes, against a witness: grows, signs, proves and submits with
// golang.org/x/mod, github.com/transparency-dev/merkle and the client of
// github.com/transparency-dev/witness, checks the cosignatures with transparency-dev/formats, and
// then does all that a witness has to refuse.
//
//	client vkey                     prints the log's key
//	client run URL WITNESS_VKEY     "ok" and the sizes, or what was not as it should be
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"

	tlog "github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	client "github.com/transparency-dev/witness/client/http"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"
)

const origin = "log.example/written-in-go"

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func key(seed string) (note.Signer, string) {
	hashed := sha256.Sum256([]byte(seed))
	private := ed25519.NewKeyFromSeed(hashed[:])
	vkey := must(note.NewEd25519VerifierKey(origin, private.Public().(ed25519.PublicKey)))
	id := must(note.NewVerifier(vkey)).KeyHash()
	encoded := base64.StdEncoding.EncodeToString(append([]byte{1}, hashed[:]...))
	return must(note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", origin, id, encoded))), vkey
}

type growing struct {
	tree   *testonly.Tree
	signer note.Signer
	name   string
}

func grown(signer note.Signer, twist string, size int) growing {
	tree := testonly.New(rfc6962.DefaultHasher)
	for i := range size {
		tree.AppendData([]byte(fmt.Sprint(twist, i)))
	}
	return growing{tree, signer, origin}
}

func (g growing) checkpoint(size uint64) []byte {
	head := tlog.Checkpoint{Origin: g.name, Size: size, Hash: g.tree.HashAt(size)}
	return must(note.Sign(&note.Note{Text: string(head.Marshal())}, g.signer))
}

func (g growing) proof(older, newer uint64) [][]byte {
	if older == 0 {
		return nil
	}
	return must(g.tree.ConsistencyProof(older, newer))
}

func main() {
	signer, vkey := key("the log")
	switch {
	case len(os.Args) == 2 && os.Args[1] == "vkey":
		fmt.Println(vkey)
	case len(os.Args) == 4 && os.Args[1] == "run":
		run(os.Args[2], os.Args[3], signer, vkey)
	default:
		log.Fatal("usage: client vkey | client run URL WITNESS_VKEY")
	}
}

func run(address, witnessVkey string, signer note.Signer, vkey string) {
	there := client.NewWitness(must(url.Parse(address)), http.DefaultClient)
	verifiers := note.VerifierList(
		must(note.NewVerifier(vkey)), must(fnote.NewVerifierForCosignatureV1(witnessVkey)),
	)
	ours := grown(signer, "", 300)
	update := func(older, newer uint64, from growing) (uint64, error) {
		text := from.checkpoint(newer)
		lines, size, err := there.Update(context.Background(), older, text, from.proof(older, newer))
		if err != nil {
			return size, err
		}
		opened := must(note.Open(append(text, lines...), verifiers))
		if len(opened.Sigs) != 2 {
			log.Fatalf("%d: %d signatures hold, two should", newer, len(opened.Sigs))
		}
		must(fnote.CoSigV1Timestamp(opened.Sigs[1]))
		return newer, nil
	}
	older := uint64(0)
	for _, newer := range []uint64{1, 2, 3, 8, 100, 100, 256, 300} {
		must(update(older, newer, ours))
		older = newer
	}
	stranger, _ := key("somebody else")
	elsewhere := grown(signer, "", 300)
	elsewhere.name = "log.example/nobody-knows"
	for _, wrong := range []struct {
		what         string
		older, newer uint64
		from         growing
		err          error
	}{
		{"a smaller size", 200, 200, ours, witness.ErrCheckpointStale},
		{"from nothing", 0, 300, ours, witness.ErrCheckpointStale},
		{"another tree of the size", 300, 300, grown(signer, "x", 300), witness.ErrInvalidProof},
		{"another tree that grew", 300, 310, grown(signer, "x", 310), witness.ErrInvalidProof},
		{"a key that is not known", 300, 300, grown(stranger, "", 300), witness.ErrNoValidSignature},
		{"a log that is not known", 300, 300, elsewhere, witness.ErrUnknownLog},
	} {
		size, err := update(wrong.older, wrong.newer, wrong.from)
		if !errors.Is(err, wrong.err) {
			log.Fatalf("%s: %v, want %v", wrong.what, err, wrong.err)
		}
		if errors.Is(err, witness.ErrCheckpointStale) && size != 300 {
			log.Fatalf("%s: told the size %d", wrong.what, size)
		}
	}
	fmt.Println("ok 300")
}
