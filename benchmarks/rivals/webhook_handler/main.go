// A webhook handler as most people write it: it verifies LiveKit's signature, reads the event, remembers its id in
// memory so that a repeated one changes nothing, and answers. Nothing survives its end.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const largestBody = 2 << 20

type event struct {
	ID    string `json:"id"`
	Event string `json:"event"`
	Room  struct {
		Name string `json:"name"`
		SID  string `json:"sid"`
	} `json:"room"`
	Participant struct {
		Identity string `json:"identity"`
		SID      string `json:"sid"`
	} `json:"participant"`
}

type claims struct {
	Issuer    string `json:"iss"`
	NotBefore int64  `json:"nbf"`
	Expires   int64  `json:"exp"`
	SHA256    string `json:"sha256"`
}

var errSignature = errors.New("bad signature")

func verify(key, secret, token string, body []byte) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errSignature
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(token[:len(parts[0])+1+len(parts[1])]))
	given, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return errSignature
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return errSignature
	}
	var said claims
	if err := json.Unmarshal(payload, &said); err != nil || said.Issuer != key {
		return errSignature
	}
	now := time.Now().Unix()
	digest := sha256.Sum256(body)
	if now > said.Expires || now < said.NotBefore-60 {
		return errSignature
	}
	if !hmac.Equal([]byte(said.SHA256), []byte(base64.StdEncoding.EncodeToString(digest[:]))) {
		return errSignature
	}
	return nil
}

func handler(key, secret string) http.HandlerFunc {
	var seen sync.Map
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestBody))
		if err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		if err := verify(key, secret, r.Header.Get("Authorization"), body); err != nil {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		var received event
		if err := json.Unmarshal(body, &received); err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		seen.LoadOrStore(received.ID, received.Event)
		w.WriteHeader(http.StatusOK)
	}
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/webhooks/livekit", handler(os.Getenv("LIVEKIT_API_KEY"), os.Getenv("LIVEKIT_API_SECRET")))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux))
}
