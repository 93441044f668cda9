// Checks what `audit-receiver checkpoint` and `prove` write with Go's own packages:
// golang.org/x/mod/sumdb/note opens the signed note, sumdb/tlog the tree and the proof.
//
//	notes VKEY CHECKPOINT PROOF...   exit 0: all hold; one line each on stdout
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) < 3 {
		fail("usage: notes VKEY CHECKPOINT PROOF...")
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(read(os.Args[1])))
	if err != nil {
		fail(err.Error())
	}
	size, _ := open(read(os.Args[2]), verifier)
	fmt.Println("checkpoint", size)
	for _, name := range os.Args[3:] {
		fmt.Println("proof", prove(read(name), verifier))
	}
}

// open returns size and root of a note that the verifier signed.
func open(text string, verifier note.Verifier) (int64, tlog.Hash) {
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		fail(err.Error())
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		fail("no checkpoint without extension lines, under the key's own name")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := tlog.ParseHash(lines[2])
	if err != nil || err2 != nil {
		fail("size or root cannot be read")
	}
	return size, root
}

// prove checks a C2SP tlog-proof file and returns the index that it is about.
func prove(text string, verifier note.Verifier) int64 {
	head, signed, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("no C2SP tlog-proof")
	}
	leaf, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	index, err2 := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil || err2 != nil {
		fail("extra or index cannot be read")
	}
	var path tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			fail(err.Error())
		}
		path = append(path, hash)
	}
	size, root := open(signed, verifier)
	if err := tlog.CheckRecord(path, size, root, index, tlog.RecordHash(leaf)); err != nil {
		fail(err.Error())
	}
	if !bytes.Contains(leaf, []byte(fmt.Sprintf(`"seq":%d,`, index))) {
		fail("what is proven is another entry's header")
	}
	return index
}

func read(name string) string {
	content, err := os.ReadFile(name)
	if err != nil {
		fail(err.Error())
	}
	return string(content)
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
