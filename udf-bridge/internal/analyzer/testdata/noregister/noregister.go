// Package noregister has no Register.
package noregister
